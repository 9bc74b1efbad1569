"""One collection: its store, and the newest view of it."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from tunewright.errors import BadRequest, NotFound
from tunewright.vectors.filters import Attributes, Filter, Value, matches
from tunewright.vectors.index import Floats, Hits, Rows
from tunewright.vectors.local import exact
from tunewright.vectors.local.files import STORE
from tunewright.vectors.local.rows import Part
from tunewright.vectors.local.store import Store, Writing
from tunewright.vectors.local.together import Together
from tunewright.vectors.local.view import Mask, Reader, View


class Collection:
    def __init__(self, folder: Path, name: str) -> None:
        """Raises NotFound, Corrupt."""
        self.store = Store(folder / STORE, name)
        self._refreshing = threading.Lock()
        self._reader = Reader(self.store)
        self._version: int | None = None
        self._together = Together(self._nearest)

    def view(self) -> View:
        """With everything that was committed before the call, whoever committed it."""
        with self._refreshing:
            version = self.store.version()
            if version != self._version:
                while not self._reader.read_on():
                    self._reader = Reader(self.store)
                self._version = version
            return self._reader.view

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

    def delete(self, ids: Sequence[str] | None, where: Filter | None) -> None:
        with self.store.writing() as writing:
            if where is None:
                writing.delete(writing.slots(list(dict.fromkeys(ids or ()))).values())
                return
            view = self.view()  # nobody else writes meanwhile
            for part, mask in zip(view.parts, masks(view, where), strict=True):
                slots = part.slots if mask is None else part.slots[mask]
                writing.delete(slots.tolist())

    def search(self, queries: Floats, k: int, where: Filter | None) -> Hits:
        return self._together.search(queries, k, where)

    def _nearest(self, queries: Floats, k: int, where: Filter | None) -> Hits:
        view = self.view()
        return exact.search(view, queries, k, masks(view, where))

    def count(self, where: Filter | None) -> int:
        view = self.view()
        if where is None:
            return len(view)
        found = zip(view.parts, masks(view, where), strict=True)
        return sum(
            len(part) if mask is None else int(np.count_nonzero(mask)) for part, mask in found
        )

    def read(self, after: str | None, limit: int) -> Rows:
        with self.store.reading(pages=True) as reading:
            rows = reading.after(after or "", limit)
        vectors = np.frombuffer(b"".join(row.vector for row in rows), "<f4")
        return Rows(
            [row.id for row in rows],
            vectors.reshape(len(rows), self.store.dimensions).astype(np.float32),
            [orjson.loads(row.attributes) for row in rows],
        )

    def drop(self) -> None:
        with self.store.writing() as writing:
            writing.drop()

    def close(self) -> None:
        self.store.close()


def masks(view: View, where: Filter | None) -> list[Mask | None]:
    """Of each part, the rows that are there and that the filter matches; None for all of them."""
    if where is None:
        return list(view.live)
    return [
        _matching(part, where) if live is None else live & _matching(part, where)
        for part, live in zip(view.parts, view.live, strict=True)
    ]


def _matching(part: Part, where: Filter) -> Mask:
    """[n]"""
    matching = np.zeros(len(part.distinct), np.bool_)
    for code in np.unique(part.codes).tolist():
        matching[code] = matches(where, part.attributes(code))
    return matching[part.codes]


def _kept(writing: Writing, there: dict[str, int], ids: Sequence[str]) -> list[bytes]:
    if absent := [id for id in ids if id not in there]:
        raise NotFound(
            f"There is no vector '{absent[0][:200]}': only of one that is there can the attributes "
            "be replaced."
        )
    return writing.vectors(there[id] for id in ids)


def _json(attributes: Attributes) -> str:
    return orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS).decode()


def one_of(ids: Sequence[str] | None, where: Filter | None) -> None:
    """Raises BadRequest."""
    if (ids is None) == (where is None):
        raise BadRequest("What to delete is named by 'ids' or by 'where': one of the two.")
