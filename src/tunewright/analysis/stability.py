"""Whether a cluster is found again in other rows of the same kind (Hennig 2007).

Rows are drawn as often as there are rows, with replacement, and clustered anew. How much of a
cluster is found is the Jaccard index with the new cluster most like it, of the rows that were
drawn; a cluster is called stable where that is 0.8 in the mean.
"""

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.intervals import LEVEL, Interval
from tunewright.analysis.neighbours import Places, Vectors
from tunewright.analysis.partitions import Partition, Progress

STABLE = 0.8
ROUNDS = 50


def stabilities(
    rows: Vectors,
    of: Places,
    again: Partition,
    number: int,
    *,
    seed: int,
    progress: Progress,
) -> list[Interval | None]:
    """Of each of `number` clusters the mean Jaccard index, and from where to where 95 % of the
    draws lie; None of one whose rows were never drawn.

    The interval is not that of `bootstrap`: each draw clusters anew, and its percentiles are what
    says how a cluster fares; a bootstrap of their mean would grow narrow with the number of draws.
    """
    found = np.full((ROUNDS, number), np.nan)
    random = np.random.default_rng(seed)
    for done in range(ROUNDS):
        drawn, counts = np.unique(random.integers(len(rows), size=len(rows)), return_counts=True)
        groups = again(rows[drawn], counts.astype(np.float64))
        found[done] = _best(of[drawn], groups, number)
        progress((done + 1) / ROUNDS)
    return [_interval(column) for column in found.T]


def _best(of: Places, groups: Places, number: int) -> NDArray[np.float64]:
    """[number]: of each cluster the Jaccard index with the most similar of `groups`."""
    both = np.zeros((number + 1, groups.max(initial=-1) + 2))
    np.add.at(both, (of + 1, groups + 1), 1)  # the first row and column are noise
    either = both.sum(1, keepdims=True) + both.sum(0, keepdims=True) - both
    shares = (both / np.maximum(either, 1))[1:, 1:]
    best = shares.max(1, initial=0)
    best[both.sum(1)[1:] == 0] = np.nan
    return best


def _interval(found: NDArray[np.float64]) -> Interval | None:
    known = found[np.isfinite(found)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(known.mean()), float(low), float(high))
