"""Recommendations from rows: like this one, or from rows that are liked and disliked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.distances import similarities, unit
from tunewright.analysis.nearest import Metric
from tunewright.analysis.neighbours import Vectors
from tunewright.analysis.search import Mask, best
from tunewright.analysis.variety import POOL, varied

DISLIKED = 0.5  # what a disliked row weighs against a liked one


@dataclass(frozen=True)
class Recommendation:
    """`score`: the cosine to what is liked less what is disliked; of one row, the similarity to it
    by the metric. `because`: the liked row that is nearest to it."""

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
    """The k rows [n, d] nearest to those that are liked and away from those that are disliked
    (Rocchio, 1971), by cosine; none of either. Raises ValueError where nothing is liked, a row is
    both, or is not there.
    """
    if not liked:
        raise ValueError("Nothing is liked: name one row at least.")
    if both := set(liked) & set(disliked):
        raise ValueError(f"Row {min(both)} is liked and disliked.")
    _there(vectors, [*liked, *disliked])
    scores = similarities(taste(vectors, liked, disliked), vectors)
    rows = _best(scores, vectors, k, [*liked, *disliked], mask, variety)
    reasons = np.stack([similarities(vectors[row], vectors[rows]) for row in liked])
    because = [liked[place] for place in reasons.argmax(axis=0)] if rows else []
    return [
        Recommendation(row, float(scores[row]), why) for row, why in zip(rows, because, strict=True)
    ]


def taste(
    vectors: Vectors,
    liked: Sequence[int],
    disliked: Sequence[int] = (),
    weights: NDArray[np.float64] | None = None,
) -> Vectors:
    """[d], a unit vector: the mean direction of the liked rows less half that of the disliked.

    weights: of the liked ones, then of the disliked ones; all alike without them.
    """
    of = np.ones(len(liked) + len(disliked)) if weights is None else weights
    up = np.average(unit(vectors[list(liked)]), axis=0, weights=of[: len(liked)])
    if not disliked:
        return unit(up)
    down = np.average(unit(vectors[list(disliked)]), axis=0, weights=of[len(liked) :])
    return unit(up - DISLIKED * down)


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
