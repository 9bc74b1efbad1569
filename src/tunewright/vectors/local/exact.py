"""The nearest rows of a view, exact: a matrix product finds those that may be among them, and these
are compared in float64.

A product of two rows in float32 depends, in its last bits, on where the rows lie in the matrix, so
by itself it would put equal rows in an arbitrary order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tunewright.vectors.exact import distances
from tunewright.vectors.index import Floats, Hits, Metric, score_of
from tunewright.vectors.local.rows import Part
from tunewright.vectors.local.view import Mask, Places, View

_FEW = 0.25  # of a part's rows: so few are copied before they are multiplied
_PRODUCTS = 4_000_000  # at once: 16 MB
_TINY, _HUGE = 1e-15, 1e15  # lengths between which float32 neither loses nor overflows
_COMPARED = 8192  # rows in float64 at once


@dataclass(frozen=True)
class Candidates:
    """Of one query: places in a view, and how near they are by float32 (more is nearer)."""

    places: Places
    near: Floats

    def and_(self, more: "Candidates", k: int, margin: float) -> "Candidates":
        """Those of both that may be among the k nearest."""
        places = np.concatenate([self.places, more.places])
        near = np.concatenate([self.near, more.near])
        if len(places) <= k or not np.isfinite(margin):
            return Candidates(places, near)
        best = _nearest(near, k, margin)
        return Candidates(places[best], near[best])


_NOTHING = Candidates(np.empty(0, np.int64), np.empty(0, np.float32))


def search(view: View, queries: Floats, k: int, masks: Sequence[Mask | None]) -> Hits:
    """The k nearest to each of queries [m, d] among the rows of `masks`: of each part, or None for
    all of them."""
    return ranked(view, queries, candidates(view, queries, k, masks), k)


def candidates(view: View, queries: Floats, k: int, masks: Sequence[Mask | None]) -> list[Places]:
    """Of each query the rows that may be among its k nearest."""
    margins = [_margin(view, query) for query in queries]
    kept = [_NOTHING] * len(queries)
    for part, start, mask in zip(view.parts, view.starts, masks, strict=False):
        rows = np.arange(len(part)) if mask is None else np.flatnonzero(mask)
        if len(rows):
            kept = _with_part(view.metric, part, start, rows, queries, k, margins, kept)
    return [found.places for found in kept]


def ranked(view: View, queries: Floats, candidates: Sequence[Places], k: int) -> Hits:
    """The k nearest of each query's candidates by their distance in float64, equal ones by id."""
    best = [
        _ranked(view, query, places, k) for query, places in zip(queries, candidates, strict=True)
    ]
    width = min((len(ids) for ids, _ in best), default=0)
    distances = np.array([found[:width] for _, found in best], np.float32)
    distances = distances.reshape(len(best), width)
    return Hits([ids[:width] for ids, _ in best], score_of(distances, view.metric), distances)


def _ranked(view: View, query: Floats, places: Places, k: int) -> tuple[list[str], Floats]:
    distances = away(view, query, places)
    if len(places) > k:  # ids of those only that may be shown
        border = np.partition(distances, k - 1)[k - 1]
        places, distances = places[distances <= border], distances[distances <= border]
    ids = view.ids(places)
    order = sorted(range(len(ids)), key=lambda at: (distances[at], ids[at]))[:k]
    return [ids[at] for at in order], distances[order]


def away(view: View, query: Floats, places: Places) -> Floats:
    """[d], [n] -> [n]."""
    wide = query.astype(np.float64)
    found = np.empty(len(places), np.float32)
    for start in range(0, len(places), _COMPARED):
        some = slice(start, start + _COMPARED)
        rows = view.vectors(places[some]).astype(np.float64)  # [some, d]
        found[some] = distances(view.metric, wide, rows)
    return found


def _with_part(
    metric: Metric,
    part: Part,
    start: int,
    rows: Places,
    queries: Floats,
    k: int,
    margins: Sequence[float],
    kept: Sequence[Candidates],
) -> list[Candidates]:
    """What is kept of each query, and what these rows of a part add to it."""
    few = len(rows) <= _FEW * len(part)
    some = rows if few else slice(None)
    matrix, scale = part.vectors[some], part.scale(metric)[some]  # [n, d], [n]
    hidden = None
    if not few and len(rows) < len(part):
        hidden = np.ones(len(part), np.bool_)
        hidden[rows] = False
    merged: list[Candidates] = []
    step = max(1, _PRODUCTS // len(matrix))
    for first in range(0, len(queries), step):
        near = near_by(metric, queries[first : first + step], matrix, scale)  # [some, n]
        if hidden is not None:
            near[:, hidden] = -np.inf
        for number, row in enumerate(near, first):
            margin = margins[number]
            if np.isfinite(margin):
                chosen = _chosen(row, k, len(rows), margin, kept[number])
                found = Candidates((rows[chosen] if few else chosen) + start, row[chosen])
            else:
                found = Candidates(rows + start, np.zeros(len(rows), np.float32))
            merged.append(kept[number].and_(found, k, margin))
    return merged


def near_by(metric: Metric, queries: Floats, matrix: Floats, scale: Floats) -> Floats:
    """[m, d], [n, d] -> [m, n]: more is nearer. Of cosine the similarity, of dot the product, of
    euclidean 2 q v - v v, which is the negative square of the distance but for what is the query's.
    """
    if metric == "cosine":
        queries = queries / np.linalg.norm(queries.astype(np.float64), axis=1)[:, None]
        queries = queries.astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        products = queries @ matrix.T
        if metric == "cosine":
            products *= scale
        elif metric == "euclidean":
            products *= 2
            products -= scale
    return products


def _margin(view: View, query: Floats) -> float:
    """How far a value of `_near` can be from the true one. Infinite where float32 is not enough:
    then every row is compared in float64."""
    longest = max((part.longest for part in view.parts), default=1.0)
    shortest = min((part.shortest for part in view.parts), default=1.0)
    size = float(np.sqrt(np.square(query.astype(np.float64)).sum()))
    if max(longest, size) > _HUGE or (view.metric == "cosine" and min(shortest, size) < _TINY):
        return float("inf")
    # Of a sum of d products, each rounded: d * 2**-24 of the sum of their sizes, which is at most
    # the product of the lengths (Higham, Accuracy and Stability of Numerical Algorithms, 3.1).
    unit = (len(query) + 4) * 2.0**-24
    if view.metric == "cosine":
        return unit
    return unit * longest * (size if view.metric == "dot" else 2 * size + longest)


def _chosen(near: Floats, k: int, rows: int, margin: float, kept: Candidates) -> Places:
    """[n] -> the places of those that may be among the k nearest of these and of what is kept.
    rows: how many of the n are there."""
    if len(kept.near) < k:
        return _nearest(near, min(k, rows), margin)
    border = np.partition(kept.near, len(kept.near) - k)[len(kept.near) - k]
    chosen = np.flatnonzero(near >= border - 2 * margin)
    return chosen[_nearest(near[chosen], k, margin)] if len(chosen) > k else chosen


def _nearest(near: Floats, k: int, margin: float) -> Places:
    """[n] -> the places of the k nearest, and of those that may be as near."""
    border = np.partition(near, len(near) - k)[len(near) - k]
    return np.flatnonzero(near >= border - 2 * margin)
