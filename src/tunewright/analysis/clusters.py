"""Clusters: rows that are alike in groups, with names, and whether each is found again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from tunewright.analysis.chance import by_chance
from tunewright.analysis.cluster_names import named
from tunewright.analysis.components import principal
from tunewright.analysis.distances import unit
from tunewright.analysis.intervals import Interval
from tunewright.analysis.neighbours import Places, Vectors
from tunewright.analysis.partitions import (
    FITTED,
    Density,
    KMeans,
    Partition,
    Progress,
    Silhouettes,
    by_silhouette,
    part,
    quiet,
    sampled,
    silhouettes,
)
from tunewright.analysis.stability import STABLE, stabilities
from tunewright.analysis.threads import one_thread

Method = Literal["k-means", "hdbscan"]
METHODS: tuple[str, ...] = get_args(Method)
NOISE = -1
SAMPLE = 2_000  # rows that k, silhouette and stability are computed on
MOST = 24  # clusters that are tried, each number from 2 on
_MANY = (28, 32, 40, 48, 56, 64)  # tried as well
_OF_MANY = 50  # rows that each of these clusters has in the mean
_DIMENSIONS = 50
_EQUAL = 1e-4  # of a vector's length: rows nearer than that differ by rounding
_FEW = 4  # rows below which there is one cluster
_EACH = 5  # rows that a cluster has at least, in the mean


@dataclass(frozen=True)
class Cluster:
    """`number` is its value in `Clusters.of`. rows: its places, the most central first.

    name: its first `terms`, or how its most central text begins. stability: the mean Jaccard index
    over bootstraps; None where there is nothing to compare (one cluster, too few rows).
    silhouette: how far it lies apart from the others, from -1 to 1 (mean of its rows). stable:
    whether its stability is at least 0.8, and its silhouette above that of every cluster that the
    same method finds in clouds without groups (`analysis.chance`).
    """

    number: int
    rows: Places
    name: str
    terms: tuple[str, ...]
    stability: Interval | None
    stable: bool
    silhouette: float | None = None


@dataclass(frozen=True)
class Clusters:
    """of [n]: the cluster of each row, -1 for noise; `all[of[row]]` is that cluster. The largest
    is the first.

    silhouette: from -1 to 1, how clearly they lie apart; None where there are not two. chance: the
    largest silhouette of the same method in clouds without groups. tried: (k, its silhouette),
    where k was chosen. sample: how many rows all these and the stability are computed on, None for
    all. fitted: how many HDBSCAN clustered, None for all; the others went with the nearest of them.
    """

    of: Places
    all: tuple[Cluster, ...]
    method: Method
    silhouette: float | None
    chance: float | None
    tried: tuple[tuple[int, float], ...]
    sample: int | None
    fitted: int | None = None

    @property
    def noise(self) -> Places:
        """Places of the rows that are in no cluster."""
        return np.flatnonzero(self.of == NOISE)

    @property
    def noise_share(self) -> float:
        return len(self.noise) / len(self.of)


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
        wide = _main(vectors)
        rows = unit(wide)
        chosen = sampled(len(rows), SAMPLE, seed)
        tried: tuple[tuple[int, float], ...] = ()
        if method == "k-means" and k is None:
            few = wide[chosen]
            tried = by_silhouette(few, _numbers(few, len(rows)), seed, part(progress, 0, 0.3))
        number = k or _best(tried)
        of = _by_size(_partition(method, number, len(rows), seed)(rows))
        again = _partition(method, number, len(chosen), seed)
        judged = _judged(wide[chosen], of[chosen], int(of.max()) + 1, again, seed, progress)
    found = _described(rows, of, texts, judged)
    sample = len(chosen) if len(chosen) < len(rows) else None
    fitted = FITTED if method == "hdbscan" and len(rows) > FITTED else None
    return Clusters(of, found, method, judged.apart.whole, judged.chance, tried, sample, fitted)


@dataclass(frozen=True)
class _Judged:
    """Of each cluster, whether it is found again, and how far it lies apart; `chance`: how far a
    clustering does where there are no groups, and `most`: how far one of its clusters."""

    stabilities: list[Interval | None]
    apart: Silhouettes
    chance: float | None
    most: float


def _judged(
    wide: Vectors, of: Places, number: int, again: Partition, seed: int, progress: Progress
) -> _Judged:
    """Of `number` clusters; None and NaN of all where there is nothing to compare."""
    rows = unit(wide)
    if number + (of == NOISE).any() < 2:
        return _Judged([None] * number, Silhouettes(None, (math.nan,) * number), None, 0)
    stable = stabilities(rows, of, again, number, seed=seed, progress=part(progress, 0.3, 0.7))
    apart = silhouettes(wide, of)
    missing = (math.nan,) * (number - len(apart.clusters))
    chance = by_chance(wide, again, seed=seed, progress=part(progress, 0.7, 1))
    whole = Silhouettes(apart.whole, apart.clusters + missing)
    return _Judged(stable, whole, chance.whole, chance.cluster)


def _main(vectors: Vectors) -> Vectors:
    """Along the main directions, [n, m]; zeros where rows differ by rounding only."""
    rows = principal(vectors, _DIMENSIONS)
    size = np.sqrt(np.square(vectors, dtype=np.float64).sum(1).mean())
    return np.where(rows.std(0).max(initial=0) > _EQUAL * size, rows, np.float32(0))


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


def _numbers(few: Vectors, rows: int) -> list[int]:
    """Of clusters that are tried on `few` of all `rows`: none of fewer than four rows, or where all
    are equal; many only where a cluster has 50 rows in the mean."""
    distinct = len(np.unique(few, axis=0))
    most = min(MOST, max(2, len(few) // _EACH), distinct)
    if len(few) < _FEW:
        return []
    return [*range(2, most + 1), *(k for k in _MANY if k <= rows // _OF_MANY and k <= distinct)]


def _best(tried: tuple[tuple[int, float], ...]) -> int:
    return max(tried, key=lambda one: one[1])[0] if tried else 1


def _partition(method: Method, number: int, rows: int, seed: int) -> Partition:
    if method == "k-means":
        return KMeans(number, seed)
    return Density(max(_EACH, min(rows, FITTED) // 100), seed)


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
    rows: Vectors, of: Places, texts: Sequence[str], judged: _Judged
) -> tuple[Cluster, ...]:
    number = len(judged.stabilities)
    members = [_central(rows, np.flatnonzero(of == at)) for at in range(number)]
    names = named(members, np.flatnonzero(of == NOISE), texts)
    return tuple(
        Cluster(
            at,
            members[at],
            names[at].name,
            names[at].terms,
            found,
            stable=found is not None and found.value >= STABLE and apart > judged.most,
            silhouette=None if math.isnan(apart) else apart,
        )
        for at, (found, apart) in enumerate(
            zip(judged.stabilities, judged.apart.clusters, strict=True)
        )
    )


def _central(rows: Vectors, places: Places) -> Places:
    """The nearest to their mean first."""
    own = rows[places]
    return places[np.argsort(np.linalg.norm(own - own.mean(0), axis=1), kind="stable")]
