"""The collections of a directory that are open."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tunewright import names
from tunewright.errors import Unavailable
from tunewright.vectors.local.accelerating import Way
from tunewright.vectors.local.collection import Collection
from tunewright.vectors.local.keeping import Keeper
from tunewright.vectors.local.store import Gone

MOST_OPEN = 64
"""Each has up to nine file handles, and its newest rows in memory."""


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
        self._keeper = Keeper(self.using)

    def folder(self, name: str) -> Path | None:
        """None of what cannot be a collection's name."""
        try:
            return self._directory / names.id(name)
        except ValueError:
            return None

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
        if found := self._found(name):
            return found
        with self._opening:  # two threads must not open the same one
            if found := self._found(name):
                return found
            folder = self.folder(name)
            if folder is None:
                raise Gone(name)
            ask = partial(self._keeper.ask, name)
            opened = _Open(Collection(folder, name, ask, self._way), users=1)
            with self._lock:
                self._open[name] = opened
        self._close_oldest()
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

    def _close_oldest(self) -> None:
        with self._lock:
            idle = [name for name, opened in self._open.items() if not opened.users]
            surplus = idle[: max(0, len(self._open) - MOST_OPEN)]
            closing = [self._open.pop(name) for name in surplus]
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
