"""A model's weights for other programs, and the proof that they are the model that is served.

    python -m tunewright.exporting

reads a `Recipe` as a JSON line on its standard input, fills a directory, reads what it has written
back, and says what became of it (`report`). This file and `report`, `recipe` and `gate` import no
torch.
"""
