"""A transformer as an ONNX graph, and whether a graph computes what torch does.

    python -m tunewright.converting DIRECTORY GRAPH

where DIRECTORY is an embedding model in sentence-transformers' files, and GRAPH a file below it: it
is written where it is not there. Then 32 texts are embedded by torch and by the graph, and a JSON
line says how nearly they agree. A process of its own: it needs torch and much memory, once.
"""
