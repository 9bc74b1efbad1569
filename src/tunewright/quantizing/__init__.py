"""The fast form of a transformer: its matrix products in int8, and how nearly it agrees with the
exact one.

    python -m tunewright.quantizing DIRECTORY GRAPH FAST

where DIRECTORY is an embedding model whose exact graph is GRAPH, and FAST the file to write, both
below it. A JSON line says what was measured. A process of its own: it takes memory and time, once.

Weights are int8 with a scale for each output. Activations are quantized while they are computed,
each token (row) by its own range: so a text's vector does not depend on what else is in its batch,
as it does with one scale for a whole batch. Fixed scales would do the same without measuring each
row, but what a few outlying tokens need costs all others precision. 1,000 reviews and 1,000
queries, all-MiniLM-L6-v2, share of ten neighbours kept: one scale a batch 0.86, fixed scales 0.86,
a scale a row 0.93, and 0.95 with channels evened out (SmoothQuant, arXiv:2211.10438).
"""
