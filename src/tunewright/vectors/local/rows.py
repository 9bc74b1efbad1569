"""Rows in memory: parts of a collection, each in the order of its slots, which never change."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tunewright.vectors.index import Floats, Metric
from tunewright.vectors.local.columns import Columns
from tunewright.vectors.local.store import Row

PART = 32_768
"""Rows of a part at most: 50 MB of 384 dimensions. What rewriting one costs, and what an exact
search multiplies at once."""


@dataclass(frozen=True, eq=False)
class Part:
    """n rows with d dimensions. Neither the arrays' first n elements nor the texts ever change, so
    whatever is computed of a part holds for good; `slots` says which rows these are."""

    slots: NDArray[np.int64]  # [n], ascending
    vectors: Floats  # [n, d], as they were given
    lengths: NDArray[np.float64]  # [n], of the vectors
    codes: NDArray[np.int32]  # [n]: row i has the attributes distinct[codes[i]]
    distinct: Sequence[bytes]  # JSON; may have more than these rows need
    columns: Columns  # of `distinct`
    ids: Sequence[str]  # of n or more
    file: str | None = None  # the name of the one that it lies in (`segments`); None: memory only

    def __len__(self) -> int:
        return len(self.slots)

    @cached_property
    def longest(self) -> float:
        return float(self.lengths.max(initial=0))

    @cached_property
    def shortest(self) -> float:
        return float(self.lengths.min(initial=1))

    def scale(self, metric: Metric) -> Floats:
        """[n]: what the product of a query with a row is multiplied by (cosine), or what is taken
        from its double (euclidean)."""
        return self._inverse if metric == "cosine" else self._squares

    @cached_property
    def _inverse(self) -> Floats:
        with np.errstate(divide="ignore", over="ignore"):
            return (1 / self.lengths).astype(np.float32)

    @cached_property
    def _squares(self) -> Floats:
        with np.errstate(over="ignore"):
            return np.square(self.lengths).astype(np.float32)


class Growing:
    """The rows that came last, to which more are added. A part that was taken stays as it is: the
    arrays grow behind its end, or elsewhere."""

    def __init__(self, dimensions: int) -> None:
        self.count = 0
        self._slots = np.empty(0, np.int64)
        self._vectors = np.empty((0, dimensions), np.float32)
        self._lengths = np.empty(0, np.float64)
        self._codes = np.empty(0, np.int32)
        self._distinct: list[bytes] = []
        self._columns = Columns(self._distinct)
        self._ids: list[str] = []
        self._code_of: dict[str, int] = {}

    @property
    def room(self) -> int:
        return PART - self.count

    def add(self, rows: Sequence[Row]) -> None:
        start, end = self.count, self.count + len(rows)
        self._reserve(end)
        joined = b"".join(row.vector for row in rows)
        dimensions = self._vectors.shape[1]
        vectors = np.frombuffer(joined, "<f4").reshape(len(rows), dimensions)  # [new, d]
        self._vectors[start:end] = vectors
        self._lengths[start:end] = lengths(vectors)
        self._slots[start:end] = [row.slot for row in rows]
        self._codes[start:end] = [self._code(row.attributes) for row in rows]
        self._ids.extend(row.id for row in rows)
        self.count = end

    def _code(self, attributes: str) -> int:
        code = self._code_of.setdefault(attributes, len(self._distinct))
        if code == len(self._distinct):
            self._distinct.append(attributes.encode())
        return code

    def _reserve(self, count: int) -> None:
        if count <= len(self._slots):
            return
        size = min(PART, max(count, 2 * len(self._slots), 64))
        for name in ("_slots", "_vectors", "_lengths", "_codes"):
            old = getattr(self, name)
            new = np.empty((size, *old.shape[1:]), old.dtype)
            new[: self.count] = old[: self.count]
            setattr(self, name, new)

    def part(self) -> Part:
        n = self.count
        return Part(
            self._slots[:n],
            self._vectors[:n],
            self._lengths[:n],
            self._codes[:n],
            self._distinct,
            self._columns,
            self._ids,
        )


def lengths(vectors: Floats) -> NDArray[np.float64]:
    """[n, d] -> [n]. In float64: a square of 1e-30 or 1e30 is none in float32."""
    wide = vectors.astype(np.float64)
    return np.sqrt(np.multiply(wide, wide).sum(axis=1))
