"""What lies in a collection's folder, beside what others keep there."""

from pathlib import Path

from tunewright import durable

STORE = "index.db"


def remove(folder: Path) -> None:
    """The collection's files. The store goes first: its log alone is nothing, but found beside a
    new store it would be read as that one's."""
    for name in (STORE, f"{STORE}-wal", f"{STORE}-shm"):
        durable.remove(folder / name)
