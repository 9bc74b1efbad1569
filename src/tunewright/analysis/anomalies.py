"""Anomalies: rows far from all others (kNN distance), or far for where they are (LOF).

LOF: Breunig, Kriegel, Ng and Sander, "LOF: identifying density-based local outliers" (2000).
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.duplicates import Groups, equal, nearest_groups
from tunewright.analysis.knn import Knn, Places, Progress, Vectors, nearest_of, quiet
from tunewright.wording import counted, of

Method = Literal["knn", "lof"]
METHODS: tuple[str, ...] = get_args(Method)
SHARE = 0.01
FEWEST = 10  # rows below which nothing is usual
_K = 10
_SHOWN = 3  # nearest normal rows of an anomaly
_SMALL = 1e-6  # a distance that float32 cannot tell from 0


@dataclass(frozen=True)
class Anomaly:
    """score: how anomalous, 1 being usual. times_usual: its kNN distance in units of the usual one
    (with "knn", the score). nearest: the places of the nearest normal rows."""

    row: int
    score: float
    times_usual: float
    nearest: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Anomalies:
    """`found`, the most anomalous first, are the rows of `scores` [n] that reach `threshold`: about
    `share` of all.

    A score is 1 for what is usual. With "knn" it is the mean distance (1 - cosine) to the `k`
    nearest rows that are no near-duplicates, in units of `usual`, the median of that among normal
    rows; with "lof" the local outlier factor. rarest: what is there more often than so many times
    is no anomaly, however far it lies.
    """

    scores: NDArray[np.float64]
    threshold: float
    found: tuple[Anomaly, ...]
    share: float
    method: Method
    k: int
    usual: float
    rarest: int


def anomalies(
    vectors: Vectors,
    *,
    share: float = SHARE,
    method: Method = "knn",
    k: int = _K,
    groups: Groups | None = None,
    progress: Progress = quiet,
) -> Anomalies:
    """About `share` of the rows of unit vectors [n, d].

    groups: near-duplicates, which count as one row, so that copies of an anomaly do not vouch for
    each other; without it, only equal vectors do.
    Raises ValueError for fewer than `FEWEST` rows, NaN, a share that is not between 0 and 0.5.
    """
    _check(vectors, share, method)
    groups = groups or equal(vectors)
    distinct = groups.first
    near = nearest_groups(vectors, groups, k, progress)
    distances = near.distances.astype(np.float64).mean(axis=1) if near.ids.size else _none(distinct)
    factors = local_outlier_factors(near) if method == "lof" else distances
    rarest = max(1, round(share * len(vectors)))
    chosen = _chosen(factors, distances, groups.sizes, rarest)
    normal = np.ones(len(distinct), np.bool_)
    normal[chosen] = False
    usual = float(np.median(distances[normal]))
    times = distances / usual if usual > _SMALL else np.sign(distances)  # [distinct]
    scores = factors if method == "lof" else times
    of_row = np.searchsorted(distinct, groups.of)  # [n]: a row's place among the distinct ones
    shown = _nearest(vectors, distinct[chosen], distinct[normal])
    found = [
        Anomaly(
            int(row),
            float(scores[at]),
            float(times[at]),
            nearest_rows,
            _reason(method, float(factors[at]), float(distances[at]), usual, near.ids.shape[1]),
        )
        for at, nearest_rows in zip(chosen, shown, strict=True)
        for row in np.flatnonzero(of_row == at)
    ]
    threshold = float(scores[chosen[-1]]) if len(chosen) else float("inf")
    return Anomalies(
        scores[of_row], threshold, tuple(found), share, method, near.ids.shape[1], usual, rarest
    )


def _none(distinct: Places) -> NDArray[np.float64]:
    return np.zeros(len(distinct), np.float64)


def _check(vectors: Vectors, share: float, method: str) -> None:
    if len(vectors) < FEWEST:
        there = f"There {of(len(vectors), 'is', 'are')} {counted(len(vectors), 'row')}"
        raise ValueError(
            f"{there} with a vector. Anomalies need {FEWEST} or more: in so few no distance is "
            "usual."
        )
    if not 0 < share < 0.5:
        raise ValueError(f"The share is {share}: name one above 0 and below 0.5, such as {SHARE}.")
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r}. Known: {', '.join(METHODS)}.")
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise ValueError(f"The vector of row {bad[0]} holds NaN or infinity.")


def local_outlier_factors(near: Knn) -> NDArray[np.float64]:
    """LOF [n] of rows whose k nearest others are known; 1 where there are none, or no distances."""
    if not near.ids.size:
        return np.ones(len(near.ids))
    distances = near.distances.astype(np.float64)  # [n, k]
    reach = np.maximum(distances, distances[near.ids, -1])  # [n, k]: at least the other's own k-th
    density = 1 / np.maximum(reach.mean(axis=1), _SMALL)  # [n]
    return density[near.ids].mean(axis=1) / density


def _chosen(
    scored: NDArray[np.float64], distances: NDArray[np.float64], sizes: Places, rarest: int
) -> Places:
    """The distinct rows that are anomalies, the most anomalous first: until so many rows are found,
    with none that is there more often."""
    order = np.lexsort((np.arange(len(scored)), -scored))
    order = order[(sizes[order] <= rarest) & (distances[order] > _SMALL)]
    before = np.cumsum(sizes[order]) - sizes[order]
    return order[before < rarest]


def _nearest(vectors: Vectors, rows: Places, normal: Places) -> list[tuple[int, ...]]:
    near = nearest_of(vectors[rows], vectors[normal], _SHOWN)
    return [tuple(normal[each].tolist()) for each in near.ids]


def _reason(method: str, score: float, distance: float, usual: float, k: int) -> str:
    nearest_rows = f"its {k} nearest rows" if k > 1 else "its nearest row"
    far = f"{distance:.2f} from {nearest_rows}, where {usual:.2f} is usual"
    if method == "lof":
        return f"{score:.1f} times as far from its neighbours as they are from theirs; {far}"
    return far
