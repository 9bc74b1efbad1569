"""Recommendations from rows: like this one, or from rows that are liked and disliked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.distances import similarities, unit
from tunewright.analysis.nearest import Metric
from tunewright.analysis.neighbours import Places, Vectors
from tunewright.analysis.search import Mask, best
from tunewright.analysis.variety import POOL, varied

DISLIKED = 0.5  # what the similarity to a disliked row weighs against that to a liked one


@dataclass(frozen=True)
class Recommendation:
    """`because`: the liked row that is nearest to it. `score`: the cosine to that, less half the
    cosine to the nearest disliked one; of one row, the similarity to it by the metric."""

    row: int
    score: float
    because: int


def like(
    vectors: Vectors,
    row: int,
    k: int,
    *,
    metric: Metric = "cosine",
    mask: Mask | None = None,
    variety: float = 0.0,
) -> list[Recommendation]:
    """The k rows nearest to one of the table [n, d], nearest first, without itself.

    mask: bool [n], the rows that may be recommended. variety: see `variety.varied`. Raises
    ValueError for a row that is not there.
    """
    _there(vectors, [row])
    scores = similarities(vectors[row], vectors, metric)
    rows = _best(scores, vectors, k, [row], mask, variety)
    return [Recommendation(found, float(scores[found]), row) for found in rows]


def recommend(
    vectors: Vectors,
    liked: Sequence[int],
    k: int,
    *,
    disliked: Sequence[int] = (),
    mask: Mask | None = None,
    variety: float = 0.0,
) -> list[Recommendation]:
    """The k rows [n, d] that are nearest to one of those that are liked, and not near to one of
    those that are disliked, by cosine; none of either. Raises ValueError where nothing is liked, a
    row is both, or is not there.
    """
    if not liked:
        raise ValueError("Nothing is liked: name one row at least.")
    if both := set(liked) & set(disliked):
        raise ValueError(f"Row {min(both)} is liked and disliked.")
    _there(vectors, [*liked, *disliked])
    scores, because = worth(vectors, vectors[list(liked)], vectors[list(disliked)])
    rows = _best(scores, vectors, k, [*liked, *disliked], mask, variety)
    return [Recommendation(row, float(scores[row]), liked[because[row]]) for row in rows]


def worth(
    vectors: Vectors, liked: Vectors, disliked: Vectors
) -> tuple[NDArray[np.float64], Places]:
    """[n, d], [a, d], [b, d] -> the scores [n], and which of `liked` is nearest to each [n].

    By the nearest of what is liked, not by its mean: who likes two things is not served by what
    lies between them (a hit rate of 0.20 against 0.10, `bench/explore/recommending.py`).
    """
    near = np.full(len(vectors), -np.inf)
    because = np.zeros(len(vectors), np.int64)
    for place, one in enumerate(liked):
        found = similarities(one, vectors)
        because[found > near] = place
        near = np.maximum(near, found)
    away = np.zeros(len(vectors))
    for one in disliked:
        away = np.maximum(away, similarities(one, vectors))
    return near - DISLIKED * away, because


def _there(vectors: Vectors, rows: Sequence[int]) -> None:
    for row in rows:
        if not 0 <= row < len(vectors):
            raise ValueError(f"There is no row {row}: rows are 0 to {len(vectors) - 1}.")


def _best(
    scores: NDArray[np.float64],
    vectors: Vectors,
    k: int,
    seen: Sequence[int],
    mask: Mask | None,
    variety: float,
) -> list[int]:
    if k < 1:
        raise ValueError(f"k is {k}: it is at least 1.")
    allowed = np.ones(len(vectors), np.bool_) if mask is None else mask.copy()
    allowed[list(seen)] = False
    rows = best(scores, np.flatnonzero(allowed), max(POOL * k, k + 20) if variety else k)
    if variety:
        rows = rows[varied(scores[rows], unit(vectors[rows]), k, variety)]
    return rows.tolist()
