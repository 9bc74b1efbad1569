"""The embedded index: exact, durable, in this process. SQLite is the truth.

store        a collection's SQLite file: rows, and the sequence of what changed
rows         rows in memory: parts that never change
view         what a search sees: the parts up to a sequence, read on from the store
exact        the nearest rows of a view, exact
collection   one collection: its store and its newest view
index        `LocalIndex`: the verbs
"""

from pathlib import Path

from tunewright.vectors.local.index import LocalIndex

__all__ = ["LocalIndex", "open_local"]


def open_local(place: str) -> LocalIndex:
    """place: ``local:DIRECTORY``, which is made when the first collection is."""
    return LocalIndex(Path(place.removeprefix("local:")))
