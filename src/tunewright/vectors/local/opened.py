"""The collections of a directory that are open."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tunewright import durable, names
from tunewright.errors import Unavailable
from tunewright.vectors.local import files
from tunewright.vectors.local.accelerating import Way
from tunewright.vectors.local.collection import Collection
from tunewright.vectors.local.keeping import Keeper
from tunewright.vectors.local.store import Gone

MOST_OPEN = 64
"""Each has up to nine file handles."""

MOST_HELD = 1_000_000_000
"""Bytes of vectors in memory, beyond those that lie in files."""

_LOOKED_AFTER = 30.0  # seconds, for those that another process has dropped


@dataclass
class _Open:
    collection: Collection
    users: int = 0


class Opened:
    """Opens a collection when it is first used, and closes those that were not used for longest."""

    def __init__(self, directory: Path, way: Way) -> None:
        self._directory, self._way = directory, way
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._open: OrderedDict[str, _Open] = OrderedDict()  # the last one was used last
        self._closed = False
        self._looked = time.monotonic()
        self._keeper = Keeper(self.using)

    def folder(self, name: str) -> Path | None:
        """None of what cannot be a collection's name."""
        try:
            return self._directory / names.id(name)
        except ValueError:
            return None

    def names(self) -> list[str]:
        """Of the collections that are there, sorted. Raises Corrupt, Unavailable after `close`."""
        with self._lock:
            if self._closed:
                raise Unavailable("The vector index has been closed.")
        if not self._directory.is_dir():
            return []
        found = (folder.name for folder in self._directory.iterdir() if folder.is_dir())
        with self.alone():
            return sorted(name for name in found if files.is_store(self._directory / name, name))

    def alone(self) -> AbstractContextManager[None]:
        """Nobody makes, opens or removes a collection meanwhile. SQLite bears no removing of a file
        while somebody opens it: he would begin a new log, which is then that of another file."""
        return durable.alone(self._directory)

    @contextmanager
    def using(self, name: str) -> Iterator[Collection]:
        """Raises Gone where there is none, or none any more; Corrupt; Unavailable after `close`."""
        opened = self._taken(name)
        try:
            yield opened.collection
        except Gone:
            with self._lock:
                if self._open.get(name) is opened:
                    del self._open[name]
            raise
        finally:
            self._leave(name, opened)

    def _taken(self, name: str) -> _Open:
        if time.monotonic() - self._looked > _LOOKED_AFTER:
            self._close_some()
        if found := self._found(name):
            return found
        with self._opening:  # two threads must not open the same one
            if found := self._found(name):
                return found
            folder = self.folder(name)
            if folder is None or not folder.is_dir():
                raise Gone(name)
            ask = partial(self._keeper.ask, name)
            with self.alone():
                opened = _Open(Collection(folder, name, ask, self._way), users=1)
            with self._lock:
                self._open[name] = opened
        self._close_some()
        return opened

    def _found(self, name: str) -> _Open | None:
        with self._lock:
            if self._closed:
                raise Unavailable("The vector index has been closed.")
            opened = self._open.get(name)
            if opened is not None:
                opened.users += 1
                self._open.move_to_end(name)
            return opened

    def _leave(self, name: str, opened: _Open) -> None:
        with self._lock:
            opened.users -= 1
            last = opened.users == 0 and self._open.get(name) is not opened
        if last:
            opened.collection.close()

    def forget(self, name: str) -> None:
        """Close it, once nobody uses it any more."""
        with self._lock:
            opened = self._open.pop(name, None)
            idle = opened is not None and not opened.users
        if opened is not None and idle:
            opened.collection.close()

    def _close_some(self) -> None:
        """Those that were not used for longest, where too much is open; and the dropped ones, whose
        files would fill the disk for as long as they are open."""
        with self._lock:
            idle = [name for name, opened in self._open.items() if not opened.users]
            surplus = len(self._open) - MOST_OPEN
            held = sum(opened.collection.held for opened in self._open.values()) - MOST_HELD
            self._looked = time.monotonic()
            closing: list[_Open] = []
            for name in idle:
                collection = self._open[name].collection
                if surplus > 0 or held > 0 or not collection.store.path.exists():
                    surplus, held = surplus - 1, held - collection.held
                    closing.append(self._open.pop(name))
        for opened in closing:
            opened.collection.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            closing = [opened for opened in self._open.values() if not opened.users]
            self._open.clear()  # who uses one closes it
        self._keeper.close()
        for opened in closing:
            opened.collection.close()
