"""The k nearest rows that match, in the one order, of whatever a database finds.

A database gives rows of equal distance in any order, cuts them off anywhere, and may evaluate a
part of the filter only. So more is fetched until k hits are certain. Where it gives no more at once
(`Limits.nearest`), or finds fewer than there are, all rows that match what it can evaluate are
read and compared here: slow, and never wrong.
"""

from collections.abc import Sequence
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

    def keeps(self, page: Found | Page) -> NDArray[np.intp]:
        """Which rows match: [n] -> indices."""
        if self.exact:
            return np.arange(len(page.ids))
        assert page.attributes is not None
        return np.array(
            [at for at, one in enumerate(page.attributes) if matches(self.where, one)], np.intp
        )


@dataclass(frozen=True)
class Ranked:
    """Rows of one query, nearest first, equal ones by id."""

    ids: list[str]
    distances: Wide  # [n]


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
        if found.vectors is None:
            distances = _in_range(found.distances, self._collection.metric)
        else:
            distances = measured(self._collection.metric, query[None], found.vectors)[0]
        kept = split.keeps(found)
        together = _groups(distances[kept], TIE if found.vectors is None else 0.0)
        ranked = _sorted([found.ids[at] for at in kept], together, k)
        if len(ranked.ids) < k:
            return ranked, False
        last = ranked.distances[-1]
        return ranked, bool(last + _tie(last) < distances.max())

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
                _sorted(one.ids + ids, np.concatenate([one.distances, row]), k)
                for one, row in zip(best, away, strict=True)
            ]
        searches.done |= dict(zip(open_, best, strict=True))


class _Searches:
    def __init__(self, queries: Floats) -> None:
        self.queries = queries  # [m, d]
        self.done: dict[int, Ranked] = {}

    @property
    def open(self) -> list[int]:
        return [at for at in range(len(self.queries)) if at not in self.done]


NOBODY = Ranked([], np.empty(0))


def _in_range(distances: Wide, metric: Metric) -> Wide:
    """A database's float32 has rows of a cosine similarity a little over 1."""
    if metric == "cosine":
        return np.clip(distances, 0, 2)
    return np.maximum(distances, 0) if metric == "euclidean" else distances


def _tie(distance: float) -> float:
    return TIE * max(1.0, abs(distance))


def _groups(distances: Wide, tie: float) -> Wide:
    """[n] -> [n]: those that are as good as equal are equal, to the nearest of them."""
    if not tie:
        return distances
    grouped, first = distances.copy(), np.nan
    for at in np.argsort(distances, kind="stable").tolist():
        if not distances[at] - first <= _tie(first):
            first = float(distances[at])
        grouped[at] = first
    return grouped


def _sorted(ids: Sequence[str], distances: Wide, k: int) -> Ranked:
    if len(ids) > k:  # only those that may be shown
        border = np.partition(distances, k - 1)[k - 1]
        near = np.flatnonzero(distances <= border)
        ids, distances = [ids[at] for at in near.tolist()], distances[near]
    order = sorted(range(len(ids)), key=lambda at: (distances[at], ids[at]))[:k]
    return Ranked([ids[at] for at in order], distances[order])


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
