"""Clusters: rows that are alike in groups, with names, and whether each is found again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from tunewright.analysis.cluster_names import named
from tunewright.analysis.components import principal
from tunewright.analysis.distances import unit
from tunewright.analysis.intervals import Interval
from tunewright.analysis.neighbours import Places, Vectors
from tunewright.analysis.partitions import (
    Density,
    KMeans,
    Partition,
    Progress,
    by_silhouette,
    sampled,
    silhouette,
)
from tunewright.analysis.stability import STABLE, stabilities
from tunewright.analysis.threads import one_thread

Method = Literal["k-means", "hdbscan"]
METHODS: tuple[str, ...] = get_args(Method)
NOISE = -1
SAMPLE = 2_000  # rows that k, silhouette and stability are computed on
MOST = 24  # clusters that are tried
_DIMENSIONS = 50
_EACH = 5  # rows that a cluster has at least, in the mean


@dataclass(frozen=True)
class Cluster:
    """`number` is its value in `Clusters.of`. rows: its places, the most central first.

    name: its first `terms`, or how its most central text begins. stability: the mean Jaccard index
    over bootstraps; None where there is nothing to compare (one cluster, too few rows).
    stable: whether that is at least 0.8.
    """

    number: int
    rows: Places
    name: str
    terms: tuple[str, ...]
    stability: Interval | None
    stable: bool


@dataclass(frozen=True)
class Clusters:
    """of [n]: the cluster of each row, -1 for noise; `all[of[row]]` is that cluster. The largest
    is the first.

    silhouette: from -1 to 1, how clearly they lie apart; None where there are not two. tried: (k,
    its silhouette), where k was chosen. sample: how many rows these two and the stability are
    computed on, None for all.
    """

    of: Places
    all: tuple[Cluster, ...]
    method: Method
    silhouette: float | None
    tried: tuple[tuple[int, float], ...]
    sample: int | None

    @property
    def noise(self) -> Places:
        """Places of the rows that are in no cluster."""
        return np.flatnonzero(self.of == NOISE)

    @property
    def noise_share(self) -> float:
        return len(self.noise) / len(self.of)


def quiet(_: float) -> None:
    """Progress that nobody watches."""


def clusters(
    vectors: Vectors,
    texts: Sequence[str],
    *,
    k: int | None = None,
    method: Method = "k-means",
    seed: int = 0,
    progress: Progress = quiet,
) -> Clusters:
    """Vectors [n, d] and their texts in clusters; the same for the same input.

    k: how many for k-means, else the number with the best silhouette. HDBSCAN finds its own.
    Raises ValueError for shapes that do not fit, NaN (with its row), a `k` that is below 1 or above
    the number of rows or that HDBSCAN is given, an unknown method. Needs scikit-learn.
    """
    _check(vectors, texts, k, method)
    with one_thread():
        rows = unit(principal(vectors, _DIMENSIONS))
        few = sampled(len(rows), SAMPLE, seed)
        tried: tuple[tuple[int, float], ...] = ()
        if method == "k-means" and k is None:
            tried = by_silhouette(rows[few], _numbers(rows[few]), seed, lambda x: progress(x / 2))
        partition = _partition(method, k or _best(tried), len(rows), seed)
        of = _by_size(partition(rows))
        number = int(of.max()) + 1
        stable: list[Interval | None] = [None] * number
        if number > 1 or (number and (of == NOISE).any()):
            again = _partition(method, number, len(few), seed)
            stable = stabilities(
                rows[few],
                of[few],
                again,
                number,
                seed=seed,
                progress=lambda x: progress(0.5 + x / 2),
            )
        apart = silhouette(rows[few], of[few])
    found = _described(rows, of, texts, stable)
    sample = len(few) if len(few) < len(rows) else None
    return Clusters(of, found, method, apart, tried, sample)


def _check(vectors: Vectors, texts: Sequence[str], k: int | None, method: str) -> None:
    if vectors.ndim != 2 or not len(vectors) or len(vectors) != len(texts):
        raise ValueError(f"Shapes do not fit: vectors {vectors.shape}, {len(texts)} texts.")
    if len(wrong := np.flatnonzero(~np.isfinite(vectors).all(1))):
        raise ValueError(f"The vector of row {wrong[0]} holds NaN or infinity.")
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r}. Known: {', '.join(METHODS)}.")
    if k is not None and method == "hdbscan":
        raise ValueError("HDBSCAN finds the number of clusters itself: leave k out.")
    if k is not None and not 1 <= k <= len(vectors):
        raise ValueError(f"k is {k}: it must be from 1 to the number of rows, {len(vectors)}.")


def _numbers(rows: Vectors) -> range:
    distinct = len(np.unique(rows, axis=0))
    return range(2, min(MOST, len(rows) // _EACH, distinct - 1) + 1)


def _best(tried: tuple[tuple[int, float], ...]) -> int:
    return max(tried, key=lambda one: one[1])[0] if tried else 1


def _partition(method: Method, number: int, rows: int, seed: int) -> Partition:
    if method == "k-means":
        return KMeans(number, seed)
    return Density(max(_EACH, rows // 100), seed)


def _by_size(of: Places) -> Places:
    """The same groups with numbers from 0, the largest first; among equals the one that comes
    first. Noise stays -1."""
    groups, first, counts = np.unique(of, return_index=True, return_counts=True)
    kept = groups != NOISE
    order = np.lexsort((first[kept], -counts[kept]))
    numbers = np.full(int(of.max()) + 2, NOISE)  # the last is reached by -1
    numbers[groups[kept][order]] = np.arange(len(order))
    return numbers[of]


def _described(
    rows: Vectors, of: Places, texts: Sequence[str], stable: list[Interval | None]
) -> tuple[Cluster, ...]:
    members = [_central(rows, np.flatnonzero(of == number)) for number in range(len(stable))]
    return tuple(
        Cluster(
            number,
            places,
            name.name,
            name.terms,
            found,
            stable=found is not None and found.value >= STABLE,
        )
        for number, (places, name, found) in enumerate(
            zip(members, named(members, np.flatnonzero(of == NOISE), texts), stable, strict=True)
        )
    )


def _central(rows: Vectors, places: Places) -> Places:
    """The nearest to their mean first."""
    own = rows[places]
    return places[np.argsort(np.linalg.norm(own - own.mean(0), axis=1), kind="stable")]
