"""What a search sees: all rows of a collection at one sequence, and how the next one is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from tunewright.vectors.filters import Filter
from tunewright.vectors.index import Floats, Metric
from tunewright.vectors.local.rows import Growing, Part
from tunewright.vectors.local.store import Reading, Row, Store

Mask = NDArray[np.bool_]
Places = NDArray[np.int64]
"""Of rows in a view: counted through its parts, from 0."""

_FEW = 64
_RANGE = 4096
"""Rows read in one transaction: some 20 ms, in which the log cannot be emptied."""


@dataclass(frozen=True, eq=False)
class View:
    """Immutable: who has one goes on with it while others write.

    `live`: of each part, which rows are there; None for all of them.
    """

    sequence: int
    dimensions: int
    metric: Metric
    parts: tuple[Part, ...]
    live: tuple[Mask | None, ...]

    def __len__(self) -> int:
        """Rows that are there."""
        return sum(
            len(part) if live is None else int(np.count_nonzero(live))
            for part, live in zip(self.parts, self.live, strict=True)
        )

    def matching(self, where: Filter | None) -> list[Mask | None]:
        """Of each part, the rows that are there and that the filter matches; None for all."""
        if where is None:
            return list(self.live)
        found = [part.columns.matched(where)[part.codes] for part in self.parts]
        return [
            matched if live is None else live & matched
            for matched, live in zip(found, self.live, strict=True)
        ]

    @cached_property
    def rows(self) -> int:
        """Deleted ones among them."""
        return sum(map(len, self.parts))

    @cached_property
    def starts(self) -> list[int]:
        """The place of each part's first row, and at last the number of all."""
        return list(accumulate(map(len, self.parts), initial=0))

    def ids(self, places: Places) -> list[str]:
        """[n] -> n ids."""
        owner, row = self._found(places)
        return [
            self.parts[part].ids[at] for part, at in zip(owner.tolist(), row.tolist(), strict=True)
        ]

    def vectors(self, places: Places) -> Floats:
        """[n] -> [n, d]."""
        taken = np.empty((len(places), self.dimensions), np.float32)
        owner, row = self._found(places)
        if len(places) <= _FEW:  # one by one, that is sooner
            pairs = zip(owner.tolist(), row.tolist(), strict=True)
            for at, (number, place) in enumerate(pairs):
                taken[at] = self.parts[number].vectors[place]
            return taken
        for number in np.unique(owner):
            mine = owner == number
            taken[mine] = self.parts[number].vectors[row[mine]]
        return taken

    def _found(self, places: Places) -> tuple[Places, Places]:
        """Of each place its part, and which row of it."""
        owner = self._firsts.searchsorted(places, side="right") - 1
        return owner, places - self._firsts[owner]

    @cached_property
    def _firsts(self) -> Places:
        return np.array(self.starts[:-1] or [0])


def empty(store: Store) -> View:
    return View(0, store.dimensions, store.metric, (), ())


class Reader:
    """Keeps the newest view of a store. Used by one thread at a time.

    It begins with `view`, whose parts lie elsewhere, and adds what it reads: parts of its own, of
    which the last one grows.
    """

    def __init__(self, store: Store, view: View | None = None) -> None:
        self.view = view or empty(store)
        self._store = store
        self._growing: Growing | None = None
        self._parts, self._live = list(self.view.parts), list(self.view.live)
        self._since: int | None = view.sequence if view else None
        self._highest = max((int(part.slots[-1]) for part in self._parts), default=0)

    def read_on(self, *, beside: bool = False) -> bool:
        """Read what was committed since. In short ranges; the view changes when all is there, so
        that it always shows one moment. False where the store has forgotten the deletions since:
        then only a new reader knows which rows are left. beside: searches do not wait for it."""
        while True:
            with self._store.reading(pages=beside) as reading:
                if self._since is None:  # nothing was read yet that may have been deleted
                    self._since = reading.sequence
                if reading.forgotten > self._since:
                    return False
                rows = self._take(reading, self._since)
                if len(rows) < _RANGE:
                    break
        self._since = reading.sequence
        self.view = View(
            reading.sequence,
            self._store.dimensions,
            self._store.metric,
            tuple(self._parts),
            tuple(self._live),
        )
        return True

    def _take(self, reading: Reading, since: int) -> list[Row]:
        rows = reading.above(self._highest, _RANGE)
        self._add(rows)
        # Since the last whole view, however many ranges ago: what one of them has brought may have
        # gone meanwhile.
        self._delete(reading.deleted_since(since))
        return rows

    def _add(self, rows: Sequence[Row]) -> None:
        while rows:
            if self._growing is None or self._growing.room == 0:
                self._growing = Growing(self._store.dimensions)
            else:
                self._parts.pop()
            new, rows = rows[: self._growing.room], rows[self._growing.room :]
            before = self._growing.count
            self._growing.add(new)
            self._parts.append(self._growing.part())
            live = self._live.pop() if before else None
            self._live.append(_longer(live, len(new)))
            self._highest = new[-1].slot

    def _delete(self, slots: Sequence[int]) -> None:
        if not slots:
            return
        wanted = np.array(sorted(slots), np.int64)
        for number, part in enumerate(self._parts):
            gone = np.isin(part.slots, wanted, assume_unique=True)
            if gone.any():
                live = self._live[number]
                self._live[number] = ~gone if live is None else live & ~gone


def _longer(live: Mask | None, more: int) -> Mask | None:
    return None if live is None else np.concatenate([live, np.ones(more, np.bool_)])
