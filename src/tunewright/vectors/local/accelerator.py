"""What makes searches of many rows fast: their int8 form, what filters match among them, a graph.

An `Accelerator` knows the rows up to one slot and never changes; rows that came later are compared
exactly beside it, and rows that have gone are passed over (`plans`). It has no vectors but int8, so
what it finds are candidates.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.vectors.filters import Filter
from tunewright.vectors.local.columns import Columns
from tunewright.vectors.local.scans import Places, Scale, Scanned
from tunewright.vectors.local.view import Mask, View

_FILTERS = 512  # whose rows are kept
COPIED = 96_000_000
"""Bytes of copies of these rows, and of masks, all together. A filter of more than a quarter of it
gets no copy: some of them in turn would copy for each search, three times as long as all is
scanned (1,000,000 rows, ten filters of 10 %: 72 ms against 21)."""


class Stopped(Exception):
    """Whoever wanted an accelerator wants it no more."""


@dataclass(frozen=True)
class Recall:
    """Of the k nearest, measured on rows that were left out of the graph: the mean, and half the
    width of its 95 % interval."""

    k: int
    width: int  # rows kept in sight (ef)
    mean: float
    within: float
    seconds: float  # of one query


class Selected:
    """The rows that a filter matches, among those of an accelerator."""

    def __init__(self, mask: Mask, scanned: Scanned, components: int) -> None:
        self.mask = mask  # [n]
        self._scanned, self._components = scanned, components

    @cached_property
    def rows(self) -> Places:
        return np.flatnonzero(self.mask)

    @property
    def apart(self) -> bool:
        """Whether they are few enough to be copied."""
        return len(self.rows) * self._components <= COPIED // 4

    @property
    def bytes(self) -> int:
        copied = self._components if self.apart else 0
        return len(self.mask) + len(self.rows) * (copied + 8)

    @cached_property
    def copy(self) -> Scanned:
        """Theirs, side by side."""
        return self._scanned.some(self.rows)


@dataclass(frozen=True, eq=False)
class Accelerator:
    """sequence: of the view that it was made of; one before it may have rows that are not here.
    slots: [n], ascending. components: of an int8 row. sets: (codes, Columns) of each part that
    it was made of, in order.
    scan_seconds: of one row. product_seconds: of one row and query, in a product of many.
    graph: `graphs.Graph`; recalls: of it, by k."""

    sequence: int
    slots: NDArray[np.int64]
    sets: Sequence[tuple[NDArray[np.int32], Columns]]
    scale: Scale
    components: int
    lost: float
    longest: float
    rows: Scanned
    scan_seconds: float
    product_seconds: float
    graph: Any = None
    recalls: tuple[Recall, ...] = ()
    _kept: OrderedDict[Filter, Selected] = field(default_factory=OrderedDict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def last(self) -> int:
        """The highest slot that it knows."""
        return int(self.slots[-1])

    def selected(self, where: Filter) -> Selected:
        with self._lock:
            found = self._kept.get(where)
            if found is None:
                masks = [columns.matched(where)[codes] for codes, columns in self.sets]
                mask = np.concatenate(masks)
                found = self._kept[where] = Selected(mask, self.rows, self.components)
                self._forget()
            self._kept.move_to_end(where)
            return found

    def _forget(self) -> None:
        """Filters that were not used for longest, for room of `_COPIED` bytes."""
        size = sum(each.bytes for each in self._kept.values())
        while len(self._kept) > 1 and (size > COPIED or len(self._kept) > _FILTERS):
            _, gone = self._kept.popitem(last=False)
            size -= gone.bytes


class Placed:
    """Where the rows of an accelerator are in one view, and what of the view it does not know."""

    def __init__(self, view: View, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.places = np.full(len(accelerator), -1, np.int64)  # [n]: -1 has gone
        self.starts = np.array(view.starts)
        self.gone = len(accelerator)
        self.covered = 0  # parts of which all rows are known
        self.rest = 0  # known rows of the part after those
        for number, (part, live) in enumerate(zip(view.parts, view.live, strict=True)):
            known = int(np.searchsorted(part.slots, accelerator.last, side="right"))
            rows = np.arange(known) if live is None else np.flatnonzero(live[:known])
            at = rows_of(accelerator.slots, part.slots[rows])
            self.places[at] = self.starts[number] + rows
            self.gone -= len(rows)
            if known < len(part):
                self.rest = known
                break
            self.covered = number + 1

        # Rows, deleted ones among them, that the accelerator does not know.
        self.fresh = int(self.starts[-1] - self.starts[self.covered]) - self.rest


def rows_of(slots: NDArray[np.int64], wanted: NDArray[np.int64]) -> Places:
    """The place of each of `wanted` in `slots`, which has them all; both ascending."""
    if not len(wanted):
        return np.zeros(0, np.int64)
    start = int(np.searchsorted(slots, wanted[0]))
    end = start + len(wanted)
    if end <= len(slots) and np.array_equal(slots[start:end], wanted):
        return np.arange(start, end)
    return np.searchsorted(slots, wanted)
