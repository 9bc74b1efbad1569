"""How a search is answered: by counting what the filter leaves, and by what this machine was
measured to take for it.

    product   every row in float32 (`exact`): few rows, or many queries at once
    scan      int8 rows, those of the filter side by side; proved exact, query by query (`scans`)
    graph     the rows near the query alone, by HNSW; its recall is measured, and >= `PROMISED`

Rows that the accelerator does not know are compared exactly beside it. What the graph finds is
filtered afterwards, from so many rows that enough should be left; where there are not, because what
is near the query does not match, the query is answered by a scan. A filter that leaves less than a
tenth or so of the rows is always answered by one.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tunewright.vectors.filters import Filter
from tunewright.vectors.index import Floats, Hits, score_of
from tunewright.vectors.local import exact, scans
from tunewright.vectors.local.accelerator import Accelerator, Placed, Recall
from tunewright.vectors.local.scans import Asked, Found, Places, Scanned
from tunewright.vectors.local.view import Mask, View

PROMISED = 0.99
"""Of the k nearest, what share a graph finds at least, or it is not used."""

_CANDIDATES = 38  # of a scan beyond k: the proof needs 17 in the median for k = 10
_COMPARED = 10  # found by a graph beyond k: int8 puts hardly a nearest one behind twice k
_TOGETHER = 8  # queries from which on one product of matrices is considered
_COPIED = 20  # times as long as scanning it takes to copy a row to where a product wants it
_PART = 4  # a scan that proves nothing is given up when 1 in so many rows would be compared


def search(
    view: View,
    accelerator: Accelerator,
    placed: Placed,
    queries: Floats,
    k: int,
    where: Filter | None,
) -> Hits:
    """As `exact.search` of the rows that the filter matches."""
    plan = _Plan(view, accelerator, placed, k, where)
    if plan.by_product(len(queries)):
        return exact.search(view, queries, k, view.matching(where))
    known = plan.known(queries)
    if placed.fresh:
        known = plan.with_fresh(queries, known)
    return _hits(view, known, k)


class _Near:
    """Of one query: places in the view, and their distances, in no order."""

    def __init__(self, places: Places, distances: Floats) -> None:
        self.places, self.distances = places, distances

    def border(self, k: int) -> float:
        """The k-th smallest distance; infinite where there are fewer."""
        if len(self.distances) < k:
            return float("inf")
        return float(np.partition(self.distances, k - 1)[k - 1])


class _Plan:
    def __init__(
        self,
        view: View,
        accelerator: Accelerator,
        placed: Placed,
        k: int,
        where: Filter | None,
    ) -> None:
        self._view, self._accelerator, self._placed = view, accelerator, placed
        self._k, self._where = k, where
        self._selected = None if where is None else accelerator.selected(where)
        self._count = len(accelerator) if self._selected is None else len(self._selected.rows)
        self._apart = self._selected is not None and self._selected.apart
        self._scanned_rows = self._count if self._apart else len(accelerator)
        self._recall = self._graph()

    def _graph(self) -> Recall | None:
        """How wide the graph is searched; None where a scan is faster or the graph no help."""
        share = self._count / len(self._accelerator)
        if self._accelerator.graph is None or not share:
            return None
        wanted = self._k if share == 1 else self._depth(share)
        recall = next((each for each in self._accelerator.recalls if each.k >= wanted), None)
        scan = self._scanned_rows * self._accelerator.scan_seconds
        if recall is None or recall.seconds > scan:
            return None
        return recall

    def _depth(self, share: float) -> int:
        """Rows of which so many match that k are hardly ever missed (two standard deviations)."""
        return int((self._k + 2 * np.sqrt(self._k) + 2) / share) + 1

    def by_product(self, queries: int) -> bool:
        """Whether one product of matrices answers all these queries sooner."""
        if queries < _TOGETHER:
            return False
        own, few = self._accelerator, self._count < len(self._accelerator) // 4
        scan = self._recall.seconds if self._recall else self._scanned_rows * own.scan_seconds
        rows = self._count if few else len(own)
        copying = rows * _COPIED * own.scan_seconds if few else 0
        return rows * own.product_seconds * queries + copying < scan * queries

    def known(self, queries: Floats) -> list[_Near]:
        """Of the rows that the accelerator knows, those that may be among the k nearest."""
        asked = scans.asked(self._accelerator.scale, queries)
        if self._recall is not None:
            return self._by_graph(asked, queries, self._recall)
        return self._by_scan(asked, queries)

    def _by_graph(self, asked: Asked, queries: Floats, recall: Recall) -> list[_Near]:
        depth = compared(self._k)
        wanted = depth if self._selected is None else compared(recall.k)
        there = 1 - self._placed.gone / len(self._accelerator)
        count = min(int(wanted / max(there, 0.1)), len(self._accelerator))
        rows, _ = self._accelerator.graph.best(asked.whole, count, recall.width)
        found: list[_Near] = []
        for number, query in enumerate(queries):
            places = self._there(rows[number][rows[number] >= 0])
            if len(places) < self._k and len(places) < self._left():
                found += self._by_scan(asked.one(number), query[None])
            else:
                found.append(self._compared(query, places[:depth]))
        return found

    def _left(self) -> int:
        """Rows that match and are there."""
        rows = slice(None) if self._selected is None else self._selected.rows
        return int(np.count_nonzero(self._placed.places[rows] >= 0))

    def _there(self, rows: Places) -> Places:
        """Places of those of the accelerator's rows that match and are there."""
        if self._selected is not None:
            rows = rows[self._selected.mask[rows]]
        places = self._placed.places[rows]
        return places[places >= 0] if self._placed.gone else places

    def _by_scan(self, asked: Asked, queries: Floats) -> list[_Near]:
        count = self._k + _CANDIDATES
        if self._count <= count:
            places = self._there(
                np.arange(self._count) if self._selected is None else self._selected.rows
            )
            return [self._compared(query, places) for query in queries]
        scanned = self._accelerator.rows
        if self._selected is not None:
            if self._apart:
                scanned = self._selected.copy
            else:
                count = int(count * len(self._accelerator) / self._count) + 1
        found = self._scanned(scanned, asked, count)
        return [
            self._proved(scanned, asked.one(number), query, found[number])
            for number, query in enumerate(queries)
        ]

    def _scanned(self, scanned: Scanned, asked: Asked, count: int) -> list[Found]:
        own = self._accelerator
        return [*scans.found(scanned, own.scale, own.lost, own.longest, asked, count)]

    def _places(self, rows: Places) -> Places:
        """Of rows of what is scanned."""
        if self._selected is not None and self._apart:
            rows = self._selected.rows[rows]
        return self._there(rows)

    def _proved(self, scanned: Scanned, asked: Asked, query: Floats, found: Found) -> _Near:
        """With as many candidates as it takes."""
        while True:
            near = self._compared(query, self._places(found.rows))
            border = near.border(self._k)
            if self._is_proved(found, border):
                return near
            count = 4 * len(found.rows)
            if count > self._scanned_rows // _PART:
                return self._every(query)
            (found,) = self._scanned(scanned, asked, count)

    def _is_proved(self, found: Found, border: float) -> bool:
        """Whether all other rows are farther away than `border`."""
        nearest = float(found.near[-1]) + found.slack
        if self._view.metric == "cosine":
            return 1 - nearest > border
        return -nearest > border

    def _every(self, query: Floats) -> _Near:
        """The nearest by float32, of all that match: what the accelerator does not know as well,
        which does no harm."""
        masks = self._view.matching(self._where)
        (places,) = exact.candidates(self._view, query[None], self._k, masks)
        return self._compared(query, places)

    def _compared(self, query: Floats, places: Places) -> _Near:
        return _Near(places, exact.away(self._view, query, places))

    def with_fresh(self, queries: Floats, known: Sequence[_Near]) -> list[_Near]:
        """And the rows that the accelerator does not know, compared exactly."""
        first = self._placed.covered
        parts, live = self._view.parts[first:], self._view.live[first:]
        fresh = replace(self._view, parts=parts, live=live)
        masks = fresh.matching(self._where)
        masks[0] = _without(masks[0], len(parts[0]), self._placed.rest)
        found = exact.candidates(fresh, queries, self._k, masks)
        start = int(self._placed.starts[first])
        both: list[_Near] = []
        for query, near, places in zip(queries, known, found, strict=True):
            more = self._compared(query, np.setdiff1d(places + start, near.places))
            both.append(
                _Near(
                    np.concatenate([near.places, more.places]),
                    np.concatenate([near.distances, more.distances]),
                )
            )
        return both


def compared(k: int) -> int:
    """Of what a graph finds, so many are compared in float64."""
    return k + max(_COMPARED, k // 2)


def _without(mask: Mask | None, length: int, first: int) -> Mask | None:
    """The mask of a part without its first rows."""
    if not first:
        return mask
    kept = np.ones(length, np.bool_) if mask is None else mask.copy()
    kept[:first] = False
    return kept


def _hits(view: View, found: Sequence[_Near], k: int) -> Hits:
    """The k nearest of each, equal ones by id."""
    best = [_ranked(view, near, k) for near in found]
    width = min((len(ids) for ids, _ in best), default=0)
    distances = np.array([found[:width] for _, found in best], np.float32)
    distances = distances.reshape(len(best), width)
    return Hits([ids[:width] for ids, _ in best], score_of(distances, view.metric), distances)


def _ranked(view: View, near: _Near, k: int) -> tuple[list[str], list[float]]:
    shown = np.flatnonzero(near.distances <= near.border(k))
    ids = view.ids(near.places[shown])
    order = sorted(zip(near.distances[shown].tolist(), ids, strict=True))[:k]
    return [id for _, id in order], [distance for distance, _ in order]
