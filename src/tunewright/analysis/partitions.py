"""Rows in groups, by scikit-learn: k-means, and HDBSCAN, which leaves rows as noise.

All of it is meant for `one_thread`, with rows of a few dimensions (`components.principal`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.nearest import nearest
from tunewright.analysis.neighbours import Places, Vectors

Progress = Callable[[float], None]
_STARTS = 4  # of k-means, of which the best is kept
_FITTED = 10_000  # rows that HDBSCAN is computed on: its time grows with their square
_NOISE = -1


@dataclass(frozen=True)
class KMeans:
    """`number` groups, every row in one."""

    number: int
    seed: int = 0

    def __call__(self, rows: Vectors, weights: NDArray[np.float64] | None = None) -> Places:
        """[n]: the group of each row, from 0. weights [n]: how often a row counts."""
        from sklearn.cluster import KMeans as OfSklearn

        number = min(self.number, len(np.unique(rows, axis=0)))
        model = OfSklearn(number, n_init=_STARTS, random_state=self.seed)
        return np.asarray(model.fit_predict(rows, sample_weight=weights), np.int64)


@dataclass(frozen=True)
class Density:
    """HDBSCAN: groups of at least `least` rows that lie denser than what is around them. The others
    are noise, -1."""

    least: int
    seed: int = 0

    def __call__(self, rows: Vectors, weights: NDArray[np.float64] | None = None) -> Places:
        """[n]. Of more than 10,000 rows a sample is clustered, and each other row goes, noise too,
        with the one of the sample that is nearest. `weights` change nothing."""
        if len(rows) <= _FITTED:
            return self._fitted(rows)
        chosen = sampled(len(rows), _FITTED, self.seed)
        groups = self._fitted(rows[chosen])
        ids, _ = nearest(rows, rows[chosen], 1, "euclidean")
        return groups[ids[:, 0]]

    def _fitted(self, rows: Vectors) -> Places:
        from sklearn.cluster import HDBSCAN

        if len(rows) < 2 * self.least:
            return np.full(len(rows), _NOISE, np.int64)
        model = HDBSCAN(min_cluster_size=self.least, copy=True)
        return np.asarray(model.fit_predict(rows), np.int64)


Partition = KMeans | Density


def sampled(rows: int, most: int, seed: int) -> Places:
    """`most` of the places of all rows, in order; all where there are no more."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def silhouette(rows: Vectors, of: Places) -> float | None:
    """How clearly the groups lie apart, from -1 to 1 (Rousseeuw 1987); noise is left out. None
    where there are fewer than two groups, or none has two rows."""
    from sklearn.metrics import silhouette_score

    kept = of != _NOISE
    groups = len(np.unique(of[kept]))
    if not 2 <= groups < np.count_nonzero(kept):
        return None
    return float(silhouette_score(rows[kept], of[kept]))


def by_silhouette(
    rows: Vectors, numbers: range, seed: int, progress: Progress
) -> tuple[tuple[int, float], ...]:
    """(k, silhouette) of k-means with each of these numbers of groups."""
    tried: list[tuple[int, float]] = []
    for done, number in enumerate(numbers, 1):
        score = silhouette(rows, KMeans(number, seed)(rows))
        if score is not None:
            tried.append((number, score))
        progress(done / len(numbers))
    return tuple(tried)
