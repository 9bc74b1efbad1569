"""One collection: its store, and the newest view of it."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from tunewright import durable
from tunewright.errors import NotFound, TunewrightError
from tunewright.vectors.filters import Attributes, Filter, Value
from tunewright.vectors.index import Floats, Hits, Rows
from tunewright.vectors.local import files, rows, snapshots
from tunewright.vectors.local.accelerating import Accelerating, Way
from tunewright.vectors.local.store import Row, Store, Writing
from tunewright.vectors.local.together import Together
from tunewright.vectors.local.view import Reader, View

log = logging.getLogger(__name__)


class Collection:
    """One of an index. ask: has `keep` done soon, in another thread."""

    def __init__(self, folder: Path, name: str, ask: Callable[[], None], way: Way) -> None:
        """Raises Gone, Corrupt."""
        self.store = Store(folder / files.STORE, name)
        self._folder, self._ask = folder, ask
        self._refreshing = threading.Lock()
        self._reader: Reader | None = None
        self._version: int | None = None
        self._looked: int | None = None
        self._snapshot = ""  # the token of the newest one that is used
        self._added = 0
        self._together = Together(self._nearest)
        self._accelerating = Accelerating(name, way, folder)
        left = files.log(folder)
        self._unscrubbed = left.exists() and left.stat().st_size > 0  # whoever was killed
        if self._unscrubbed:
            ask()

    def view(self) -> View:
        """With everything that was committed before the call, whoever committed it."""
        with self._refreshing:
            version = self.store.version()
            reader = self._reader
            if version != self._version or reader is None:
                reader = reader or self._opened()
                while not reader.read_on():
                    reader = self._opened()
                self._reader, self._version = reader, version
                if snapshots.due(reader.view):
                    self._ask()
            return reader.view

    def look(self) -> None:
        """Raises Gone where another process has dropped it, or this one."""
        version = self.store.version()
        if version != self._looked:
            with self.store.reading():
                self._looked = version

    def _opened(self) -> Reader:
        found = snapshots.read(self._folder, self.store)
        self._snapshot = found.token if found else ""
        return Reader(self.store, found.view if found else None)

    def upsert(
        self, ids: Sequence[str], vectors: Floats | None, attributes: Sequence[dict[str, Value]]
    ) -> None:
        last = {id: number for number, id in enumerate(ids)}  # of an id twice, the last row
        written = [_json(attributes[number]) for number in last.values()]
        with self.store.writing() as writing:
            there = writing.slots([*last])
            if vectors is None:
                given: Sequence[Any] = _kept(writing, there, [*last])
            else:
                given = [vectors[number].astype("<f4").tobytes() for number in last.values()]
            writing.delete(there.values())
            writing.add([*last], written, given)
        self._unscrubbed |= bool(there)
        self._added += len(last)
        if self._unscrubbed or self._added >= rows.PART:
            self._ask()

    def delete(self, ids: Sequence[str] | None, where: Filter | None) -> None:
        with self.store.writing() as writing:
            if where is None:
                writing.delete(writing.slots(list(dict.fromkeys(ids or ()))).values())
            else:
                view = self.view()  # nobody else writes meanwhile
                for part, mask in zip(view.parts, view.matching(where), strict=True):
                    slots = part.slots if mask is None else part.slots[mask]
                    writing.delete(slots.tolist())
        self._unscrubbed = True
        self._scrub()
        self._ask()  # files may hold the rows, too

    def _scrub(self) -> bool:
        """Whether nothing that was deleted is left in the store's log."""
        if self._unscrubbed:
            self._unscrubbed = False  # before: what is deleted meanwhile asks anew
            try:
                self._unscrubbed |= not self.store.scrub()
            except TunewrightError as error:  # what was deleted is deleted: this comes again
                self._unscrubbed = True
                log.warning("%s: its log stays for now: %s", self.store.path, error.message)
        return not self._unscrubbed

    def keep(self) -> bool:
        """What may be done late: wipe deleted rows from the log, and from the files beside the
        store; write files of what is in memory only, and use those that others have written. Nobody
        who searches waits. False where somebody is in the way: come again."""
        scrubbed = self._scrub()
        self.store.shorten(snapshots.sequence(self._folder))
        if self._reader is None and self._added < rows.PART and not files.listed(self._folder):
            return scrubbed  # nobody has it in memory, and nothing of it lies beside the store
        self._added = 0
        self.view()  # before: who opens it reads the files that are there, and not twice
        self._use_newest()
        if not snapshots.due(self.view()):
            return scrubbed
        with durable.only_one(self._folder) as mine:
            if not mine:
                return False
            self._use_newest()
            view = self.view()
            if snapshots.due(view):
                snapshots.write(self._folder, self.store, view)
                self._use_newest()
        return scrubbed

    def _use_newest(self) -> None:
        """The files that are there now, read and followed up to the store's end before the view
        changes."""
        listed, reader = snapshots.listed(self._folder), self._reader
        if listed is None or listed.token == self._snapshot:
            return
        known = reader.view.parts if reader else ()
        found = snapshots.read(self._folder, self.store, known)
        if found is None:
            return
        reader = Reader(self.store, found.view)
        if reader.read_on(beside=True):
            with self._refreshing:
                self._reader, self._version, self._snapshot = reader, None, found.token

    def search(self, queries: Floats, k: int, where: Filter | None) -> Hits:
        return self._together.search(queries, k, where)

    def _nearest(self, queries: Floats, k: int, where: Filter | None) -> Hits:
        view = self.view()
        return self._accelerating.search(view, queries, k, where)

    def settled(self) -> bool:
        """Whether no accelerator is being made."""
        self._accelerating.consider(self.view())
        return self._accelerating.settled()

    def count(self, where: Filter | None) -> int:
        view = self.view()
        if where is None:
            return len(view)
        found = zip(view.parts, view.matching(where), strict=True)
        return sum(
            len(part) if mask is None else int(np.count_nonzero(mask)) for part, mask in found
        )

    def read(self, after: str | None, limit: int) -> Rows:
        with self.store.reading(pages=True) as reading:
            return self._rows(reading.after(after or "", limit))

    def fetch(self, ids: Sequence[str]) -> Rows:
        with self.store.reading(pages=True) as reading:
            return self._rows(reading.of(sorted(set(ids))))

    def _rows(self, found: Sequence[Row]) -> Rows:
        vectors = np.frombuffer(b"".join(row.vector for row in found), "<f4")
        return Rows(
            [row.id for row in found],
            vectors.reshape(len(found), self.store.dimensions).astype(np.float32),
            [orjson.loads(row.attributes) for row in found],
        )

    @property
    def held(self) -> int:
        """Bytes of vectors that are in memory only."""
        reader = self._reader
        parts = reader.view.parts if reader else ()
        return sum(part.vectors.nbytes for part in parts if part.file is None)

    def drop(self) -> None:
        with self.store.writing() as writing:
            writing.drop()

    def close(self) -> None:
        self._accelerating.close()
        self.store.close()


def _kept(writing: Writing, there: dict[str, int], ids: Sequence[str]) -> list[bytes]:
    if absent := [id for id in ids if id not in there]:
        raise NotFound(
            f"There is no vector '{absent[0][:200]}': only of one that is there can the attributes "
            "be replaced."
        )
    return writing.vectors(there[id] for id in ids)


def _json(attributes: Attributes) -> str:
    return orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS).decode()
