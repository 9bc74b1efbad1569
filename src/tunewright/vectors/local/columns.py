"""Which sets of attributes a filter matches: typed columns, compared by numpy.

The chunks of one file have one set of attributes, so a part knows each different set once
(`Part.distinct`). A filter is evaluated over these sets; from them to the rows it is one gather.
What a filter matches never changes, for a set does not: a row gets another one.

    eq in        strings by their number in the key's dictionary, all else by value
    gt ... lte   strings by their rank in the order of code points
"""

import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import orjson
from numpy.typing import NDArray

from tunewright.vectors.filters import And, Comparison, Filter, Value, kind

Mask = NDArray[np.bool_]

_ABSENT, _NUMBER, _STRING, _BOOLEAN = range(4)
_KINDS: dict[str | None, int] = {
    None: _ABSENT,
    "number": _NUMBER,
    "string": _STRING,
    "boolean": _BOOLEAN,
}
_ORDER: dict[str, Callable[..., Mask]] = {
    "gt": np.greater,
    "gte": np.greater_equal,
    "lt": np.less,
    "lte": np.less_equal,
}
_KEPT = 256  # filters
_PIECES = 8  # of a column, before they are made one
_PASSES = 4  # values up to which one pass each is cheaper than `isin`, which sorts


class Columns:
    """Of sets of attributes (JSON), to which more may be added at the end. A key's column is made
    when a filter first asks for it: 1 us a set."""

    def __init__(self, sets: Sequence[bytes]) -> None:
        self._sets = sets
        self._columns: dict[str, list[_Column]] = {}  # of the sets one after the other
        self._matched: OrderedDict[Filter, Mask] = OrderedDict()
        self._lock = threading.Lock()

    def matched(self, where: Filter) -> Mask:
        """[sets], or more if some were added meanwhile. Not to be changed."""
        with self._lock:
            found = self._matched.get(where)
            if found is None or len(found) < len(self._sets):
                found = self._matched[where] = self._evaluated(where, len(self._sets))
                if len(self._matched) > _KEPT:
                    self._matched.popitem(last=False)
            self._matched.move_to_end(where)
            return found

    def _evaluated(self, where: Filter, count: int) -> Mask:
        if isinstance(where, Comparison):
            columns = self._columns_of(where.key, count)
            return np.concatenate([column.matched(where) for column in columns])
        parts = (self._evaluated(part, count) for part in where.parts)
        return _joined(parts, count, every=isinstance(where, And))

    def _columns_of(self, key: str, count: int) -> "list[_Column]":
        columns = self._columns.setdefault(key, [])
        there = sum(map(len, columns))
        if there < count or not columns:
            if len(columns) > _PIECES:
                columns.clear()
                there = 0
            sets = (orjson.loads(self._sets[number]) for number in range(there, count))
            columns.append(_Column([attributes.get(key) for attributes in sets]))
        return columns


class _Column:
    """One key's value in each of n sets."""

    def __init__(self, values: Sequence[Value | None]) -> None:
        self._kinds = np.array([_KINDS[kind(value)] for value in values], np.uint8)  # [n]
        texts = sorted({value for value in values if isinstance(value, str)})
        self._texts, rank = texts, {text: number for number, text in enumerate(texts)}
        # [n]: of a string its rank, of true 1. Exact: a float64 holds any rank.
        self._numbers = np.array(
            [rank[value] if isinstance(value, str) else float(value or 0) for value in values],
            np.float64,
        )

    def __len__(self) -> int:
        return len(self._kinds)

    def matched(self, comparison: Comparison) -> Mask:
        """[n]"""
        if comparison.op in _ORDER:
            return self._beyond(comparison.op, comparison.values[0])
        found = self._among(comparison.values)
        return found if comparison.op in ("eq", "in") else ~found

    def _among(self, values: Iterable[Value]) -> Mask:
        wanted: dict[int, list[float]] = {}
        for value in values:
            number = self._rank(value) if isinstance(value, str) else float(value)
            if number is not None:
                wanted.setdefault(_KINDS[kind(value)], []).append(number)
        found = np.zeros(len(self), np.bool_)
        for of, numbers in wanted.items():
            found |= (self._kinds == of) & _one_of(self._numbers, numbers)
        return found

    def _rank(self, text: str) -> int | None:
        rank = bisect_left(self._texts, text)
        return rank if self._texts[rank : rank + 1] == [text] else None

    def _beyond(self, op: str, value: Value) -> Mask:
        if isinstance(value, bool):  # comparable with nothing
            return np.zeros(len(self), np.bool_)
        if isinstance(value, str):
            # Between the ranks of the strings before it and of those after it.
            before, after = bisect_left(self._texts, value), bisect_right(self._texts, value)
            border = (before + after - 1) / 2
            return (self._kinds == _STRING) & _ORDER[op](self._numbers, border)
        return (self._kinds == _NUMBER) & _ORDER[op](self._numbers, float(value))


def _one_of(numbers: NDArray[np.float64], wanted: Sequence[float]) -> Mask:
    if len(wanted) > _PASSES:
        return np.isin(numbers, np.array(wanted))
    return _joined((numbers == one for one in wanted), len(numbers), every=False)


def _joined(parts: Iterable[Mask], length: int, *, every: bool) -> Mask:
    found = np.full(length, every)
    join = np.logical_and if every else np.logical_or
    for part in parts:
        join(found, part, out=found)
    return found
