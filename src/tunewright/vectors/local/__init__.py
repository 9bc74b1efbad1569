"""The embedded index: exact, durable, in this process. SQLite is the truth, the rest follows it.

    store        a collection's SQLite file: rows, and the sequence of what changed
    rows         rows in memory: parts that never change
    columns      which rows a filter matches: typed columns of their attributes
    view         what a search sees: the parts up to a sequence, read on from the store
    segments     parts as files; snapshots: all of them at a sequence, disposable
    exact        the nearest rows of a view, exact
    scans        rows as int8, scanned and proved exact; graphs: by faiss, with HNSW
    accelerator  int8 rows up to a slot, what filters match of them, a graph; building: its making
    plans        which of these answers a search
    accelerating when an accelerator is made anew
    together     searches of one moment as one product
    files        what lies in a collection's folder
    collection   one collection: its store and its newest view
    keeping      what is done late, in a thread
    opened       the collections that are open
    index        `LocalIndex`: the verbs

A search takes a view, which is looked at for changes first and never changes itself.
"""

from pathlib import Path

from tunewright.vectors.local.index import LocalIndex

__all__ = ["LocalIndex", "open_local"]


def open_local(place: str) -> LocalIndex:
    """place: ``local:DIRECTORY``, which is made when the first collection is. ``local+exact:`` has
    float32 only; other ways: `accelerating.WAYS`."""
    name, _, directory = place.partition(":")
    return LocalIndex(Path(directory), name.partition("+")[2])
