"""How good a search is, by queries whose relevant rows are known: recall, MRR, nDCG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.intervals import Interval, bootstrap

Relevance = Mapping[int, float]  # row -> how relevant, above 0


@dataclass(frozen=True)
class SearchQuality:
    """Means over queries, with 95 % intervals by a bootstrap of the queries.

    `recall`: of the relevant rows, the share among the first k (of k of them where there are more).
    `reciprocal_rank`: 1 / the place of the first relevant one (MRR), 0 where none is among k.
    `ndcg`: nDCG@k, gains as they are given, discount log2(place + 1). `ndcgs` [queries].
    """

    queries: int
    k: int
    recall: Interval
    reciprocal_rank: Interval
    ndcg: Interval
    ndcgs: NDArray[np.float64]


def search_quality(
    found: Sequence[Sequence[int]], relevant: Sequence[Relevance], k: int = 10, *, seed: int = 0
) -> SearchQuality:
    """found: of each query the rows, best first. Raises ValueError for a query without a relevant
    row, and for a row that is found twice: either would be counted wrongly."""
    if len(found) != len(relevant) or not found:
        raise ValueError(f"{len(found)} queries were searched and {len(relevant)} have labels.")
    for number, (rows, labels) in enumerate(zip(found, relevant, strict=True)):
        if not any(gain > 0 for gain in labels.values()):
            raise ValueError(f"Query {number} has no relevant row.")
        if len(set(rows)) < len(rows):
            raise ValueError(f"Query {number} found a row twice.")
    pairs = [(list(rows)[:k], labels) for rows, labels in zip(found, relevant, strict=True)]
    ndcgs = np.array([_ndcg(rows, labels, k) for rows, labels in pairs])
    return SearchQuality(
        queries=len(pairs),
        k=k,
        recall=_mean(np.array([_recall(rows, labels, k) for rows, labels in pairs]), seed),
        reciprocal_rank=_mean(
            np.array([_reciprocal(rows, labels) for rows, labels in pairs]), seed
        ),
        ndcg=_mean(ndcgs, seed),
        ndcgs=ndcgs,
    )


def difference(one: SearchQuality, other: SearchQuality, *, seed: int = 0) -> Interval:
    """Of nDCG, `one` less `other`, over the same queries, pair by pair."""
    if one.queries != other.queries or one.k != other.k:
        raise ValueError("The two are of other queries, or of another k.")
    return _mean(one.ndcgs - other.ndcgs, seed)


def _mean(values: NDArray[np.float64], seed: int) -> Interval:
    return bootstrap(lambda rows: float(values[rows].mean()), len(values), seed=seed)


def _recall(rows: Sequence[int], labels: Relevance, k: int) -> float:
    wanted = {row for row, gain in labels.items() if gain > 0}
    return len(wanted.intersection(rows)) / min(len(wanted), k)


def _reciprocal(rows: Sequence[int], labels: Relevance) -> float:
    places = (place for place, row in enumerate(rows, start=1) if labels.get(row, 0) > 0)
    return 1 / next(places, np.inf)


def _ndcg(rows: Sequence[int], labels: Relevance, k: int) -> float:
    ideal = sorted(labels.values(), reverse=True)[:k]
    return _gain([labels.get(row, 0) for row in rows]) / _gain(ideal)


def _gain(gains: Sequence[float]) -> float:
    return float(sum(gain / np.log2(place + 1) for place, gain in enumerate(gains, start=1)))
