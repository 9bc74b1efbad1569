"""What lies in a collection's folder, beside what others keep there."""

from collections.abc import Iterator
from pathlib import Path

from tunewright import durable
from tunewright.vectors.local.store import Gone, Store

STORE = "index.db"
LIST = "rows.json"
GRAPH = "graph.bin"
_SEGMENTS = "rows-*.seg*"  # with those that are being written


def segments(folder: Path) -> Iterator[Path]:
    return folder.glob(_SEGMENTS)


def listed(folder: Path) -> bool:
    return (folder / LIST).exists()


def log(folder: Path) -> Path:
    """SQLite's write-ahead log."""
    return folder / f"{STORE}-wal"


def is_store(folder: Path, name: str) -> bool:
    """Whether a collection is there: whole, and not dropped. Raises Corrupt."""
    try:
        Store(folder / STORE, name).close()
    except Gone:
        return False
    return True


def remove(folder: Path) -> None:
    """The collection's files. The store goes before its log: that alone is nothing, but found
    beside a new store it would be read as that one's."""
    listed = [folder / STORE, log(folder), folder / f"{STORE}-shm", folder / LIST]
    for path in [*listed, *segments(folder), *folder.glob(f"{GRAPH}*")]:
        durable.remove(path)
