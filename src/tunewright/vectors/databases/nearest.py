"""The k nearest rows that match, in the one order, of whatever a database finds.

A database gives rows of equal distance in any order, cuts them off anywhere, and may evaluate a
part of the filter only. So more is fetched until k hits are certain. Where it gives no more at once
(`Limits.nearest`), or finds fewer than there are, all rows that match what it can evaluate are
read and compared here: slow, and never wrong.
"""

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.vectors.databases.calling import Calls
from tunewright.vectors.databases.database import Collection, Database, Found, Page
from tunewright.vectors.exact import distances as distances_of
from tunewright.vectors.filters import NONE, Filter, matches
from tunewright.vectors.index import Floats, Hits, Metric, score_of

Wide = NDArray[np.float64]

TIE = 1e-6  # of float32 in a database: distances this close, relatively above 1, are equal
_MORE = 4  # times as many hits are asked for next


@dataclass(frozen=True)
class Split:
    """where: what is asked. weaker: what the database evaluates of it."""

    where: Filter
    weaker: Filter

    @property
    def exact(self) -> bool:
        return self.where == self.weaker

    def keeps(self, page: Found | Page) -> Sequence[int]:
        """Which rows match: [n] -> indices."""
        if self.exact:
            return range(len(page.ids))
        assert page.attributes is not None
        return [at for at, one in enumerate(page.attributes) if matches(self.where, one)]


@dataclass(frozen=True)
class Ranked:
    """Rows of one query, nearest first, equal ones by id."""

    distances: list[float]
    ids: list[str]

    @property
    def rows(self) -> Iterator[tuple[float, str]]:
        return zip(self.distances, self.ids, strict=True)


class Nearest:
    """Searches of one collection."""

    def __init__(self, database: Database, collection: Collection, call: Calls) -> None:
        self._database, self._collection, self._call = database, collection, call

    def search(self, queries: Floats, k: int, split: Split) -> Hits:
        """queries: [m, d], checked."""
        found = _Searches(queries)
        metric, limits = self._collection.metric, self._database.limits
        if split.weaker == NONE:
            return hits([NOBODY] * len(queries), metric)
        if metric in limits.metrics:
            most = self._database.most(self._collection, attributes=not split.exact)
            n = k + 1 if split.exact else _MORE * k + 16
            while found.open and k < most:
                n = min(n, most)
                self._ask(found, k, n, split)
                if n == most:
                    break
                n *= _MORE
        if found.open:
            self._read(found, k, split)
        return hits([found.done[at] for at in range(len(queries))], metric)

    def _ask(self, searches: "_Searches", k: int, n: int, split: Split) -> None:
        """Settle those of which n rows of the database are enough."""
        there: int | None = None
        at_once = self._database.limits.queries
        for start in range(0, len(open_ := searches.open), at_once):
            some = open_[start : start + at_once]
            for at, found in zip(some, self._found(searches.queries[some], n, split), strict=True):
                ranked, certain = self._ranked(searches.queries[at], found, k, split)
                if len(found.ids) < n and not certain:
                    if there is None:
                        there = self._there(split)
                    certain = len(found.ids) >= min(there, n)
                if certain:
                    searches.done[at] = ranked

    def _found(self, queries: Floats, n: int, split: Split) -> list[Found]:
        return self._call(
            lambda: self._database.search(
                self._collection, queries, n, split.weaker, not split.exact
            )
        )

    def _there(self, split: Split) -> int:
        """How many rows match what the database evaluates; 0 where it need not be asked."""
        if self._database.limits.short_is_all:
            return 0
        return self._call(lambda: self._database.count(self._collection, split.weaker))

    def _ranked(self, query: Floats, found: Found, k: int, split: Split) -> tuple[Ranked, bool]:
        """The first k, and whether they are certain: the last row that was fetched is farther."""
        tie = TIE if found.vectors is None else 0.0
        if found.vectors is None:
            distances = _in_range(found.distances.tolist(), self._collection.metric)
        else:
            distances = measured(self._collection.metric, query[None], found.vectors)[0].tolist()
        kept = [(distances[at], found.ids[at]) for at in split.keeps(found)]
        ranked = _sorted(_groups(kept, tie), k)
        if len(ranked.ids) < k:
            return ranked, False
        last = ranked.distances[-1]
        return ranked, last + _tie(last) < max(distances)

    def _read(self, searches: "_Searches", k: int, split: Split) -> None:
        """Settle the others by comparing each row."""
        open_ = searches.open
        best = [NOBODY] * len(open_)
        pages = self._database.pages(
            self._collection, split.weaker, vectors=True, attributes=not split.exact
        )
        while (page := self._call(lambda: next(pages, None))) is not None:
            assert page.vectors is not None
            kept = split.keeps(page)
            ids = [page.ids[at] for at in kept]
            away = measured(self._collection.metric, searches.queries[open_], page.vectors[kept])
            best = [
                _sorted([*one.rows, *zip(row, ids, strict=True)], k)
                for one, row in zip(best, away.tolist(), strict=True)
            ]
        searches.done |= dict(zip(open_, best, strict=True))


class _Searches:
    def __init__(self, queries: Floats) -> None:
        self.queries = queries  # [m, d]
        self.done: dict[int, Ranked] = {}

    @property
    def open(self) -> list[int]:
        return [at for at in range(len(self.queries)) if at not in self.done]


NOBODY = Ranked([], [])


def _in_range(distances: list[float], metric: Metric) -> list[float]:
    """A database's float32 has rows of a cosine similarity a little over 1."""
    if metric == "cosine":
        return [min(max(distance, 0.0), 2.0) for distance in distances]
    return [max(one, 0.0) for one in distances] if metric == "euclidean" else distances


def _tie(distance: float) -> float:
    return TIE * max(1.0, abs(distance))


def _groups(rows: list[tuple[float, str]], tie: float) -> list[tuple[float, str]]:
    """Those that are as good as equal are equal, to the nearest of them."""
    if not tie:
        return rows
    grouped: list[tuple[float, str]] = []
    first = math.nan
    for distance, id in sorted(rows):
        if not distance - first <= _tie(first):
            first = distance
        grouped.append((first, id))
    return grouped


def _sorted(rows: Iterable[tuple[float, str]], k: int) -> Ranked:
    best = heapq.nsmallest(k, rows)
    return Ranked([distance for distance, _ in best], [id for _, id in best])


def measured(metric: Metric, queries: Floats, rows: Floats) -> Wide:
    """As `Hits.distances` has it, of queries [m, d] and rows [n, d]: [m, n], in float64 and rounded
    to float32, so that equal rows are equally far."""
    wide = rows.astype(np.float64)
    found = [distances_of(metric, query.astype(np.float64), wide) for query in queries]
    return np.array(found, np.float64).reshape(len(queries), len(rows))


def hits(found: Sequence[Ranked], metric: Metric) -> Hits:
    """Of all queries equally many."""
    width = min((len(one.ids) for one in found), default=0)
    distances = np.array([one.distances[:width] for one in found], np.float32)
    distances = distances.reshape(len(found), width)
    return Hits([one.ids[:width] for one in found], score_of(distances, metric), distances)
