"""Rows in groups, by scikit-learn: k-means, and HDBSCAN, which leaves rows as noise.

All of it is meant for `one_thread`, with rows of a few dimensions (`components.principal`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.distances import unit
from tunewright.analysis.nearest import nearest
from tunewright.analysis.neighbours import Places, Vectors

Progress = Callable[[float], None]
_STARTS = 4  # of k-means, of which the best is kept
FITTED = 6_000  # rows that HDBSCAN is computed on: its time grows with their square (10,000: 14 s)
_NOISE = -1


def quiet(_: float) -> None:
    """Progress that nobody watches."""


def part(progress: Progress, low: float, high: float) -> Progress:
    """Of a computation that is the part from `low` to `high` of another one."""
    return lambda share: progress(low + (high - low) * share)


@dataclass(frozen=True)
class KMeans:
    """`number` groups, every row in one."""

    number: int
    seed: int = 0

    def __call__(self, rows: Vectors, weights: NDArray[np.float64] | None = None) -> Places:
        """[n]: the group of each row, from 0. weights [n]: how often a row counts."""
        from sklearn.cluster import KMeans as OfSklearn

        number = min(self.number, len(np.unique(rows, axis=0)))
        asked: dict[str, Any] = {"n_init": _STARTS, "random_state": self.seed}  # its stubs lack int
        model = OfSklearn(number, **asked)
        return np.asarray(model.fit_predict(rows, sample_weight=weights), np.int64)


@dataclass(frozen=True)
class Density:
    """HDBSCAN: groups of at least `least` rows that lie denser than what is around them. The others
    are noise, -1."""

    least: int
    seed: int = 0

    def __call__(self, rows: Vectors, weights: NDArray[np.float64] | None = None) -> Places:
        """[n]. Of more than 6,000 rows a sample is clustered, and each other row goes, noise too,
        with the one of the sample that is nearest. `weights` change nothing."""
        if len(rows) <= FITTED:
            return self._fitted(rows)
        chosen = sampled(len(rows), FITTED, self.seed)
        groups = self._fitted(rows[chosen])
        ids, _ = nearest(rows, rows[chosen], 1, "euclidean")
        return groups[ids[:, 0]]

    def _fitted(self, rows: Vectors) -> Places:
        from sklearn.cluster import HDBSCAN

        if len(rows) < 2 * self.least:
            return np.full(len(rows), _NOISE, np.int64)
        asked: dict[str, Any] = {"copy": True}  # its stubs say str
        model = HDBSCAN(min_cluster_size=self.least, **asked)
        return np.asarray(model.fit_predict(rows), np.int64)


Partition = KMeans | Density


def sampled(rows: int, most: int, seed: int) -> Places:
    """`most` of the places of all rows, in order; all where there are no more."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


@dataclass(frozen=True)
class Silhouettes:
    """How clearly groups lie apart, from -1 to 1 (Rousseeuw 1987): the mean over all rows, and over
    those of each group [number]. None where there are fewer than two groups, or none has two rows;
    NaN of a group without rows."""

    whole: float | None
    clusters: tuple[float, ...] = ()


def silhouettes(rows: Vectors, of: Places) -> Silhouettes:
    """rows [n, m]: better not of length 1, for on a sphere each half of a long cloud is a pole.
    A row of noise counts with the group whose mean is nearest: without that, the less of a cloud
    a method calls a group, the better it would look."""
    from sklearn.metrics import silhouette_samples

    number = int(of.max(initial=_NOISE)) + 1
    groups = _with_noise(rows, of, number)
    if not 2 <= len(np.unique(groups)) < len(rows):
        return Silhouettes(None)
    each = np.asarray(silhouette_samples(rows, groups), np.float64)
    own = of != _NOISE
    counts = np.bincount(of[own], minlength=number)
    sums = np.bincount(of[own], each[own], minlength=number)
    means = np.divide(sums, counts, out=np.full(number, np.nan), where=counts > 0)
    return Silhouettes(float(each.mean()), tuple(means.tolist()))


def _with_noise(rows: Vectors, of: Places, number: int) -> Places:
    noise = of == _NOISE
    if not noise.any() or not number:
        return of
    there = np.unique(of[~noise])
    means = np.stack([rows[of == group].mean(0) for group in there])
    ids, _ = nearest(rows[noise], means, 1, "euclidean")
    groups = of.copy()
    groups[noise] = there[ids[:, 0]]
    return groups


def by_silhouette(
    wide: Vectors, numbers: Sequence[int], seed: int, progress: Progress
) -> tuple[tuple[int, float], ...]:
    """(k, silhouette) of k-means with each of these numbers of groups. wide [n, m]: not yet scaled
    to length 1."""
    rows = unit(wide)
    tried: list[tuple[int, float]] = []
    for done, number in enumerate(numbers, 1):
        score = silhouettes(wide, KMeans(number, seed)(rows)).whole
        if score is not None:
            tried.append((number, score))
        progress(done / len(numbers))
    return tuple(tried)
