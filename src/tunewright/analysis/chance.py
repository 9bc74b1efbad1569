"""What clustering finds where there is nothing to find: clouds without groups, of the same shape.

k-means cuts any cloud, and cuts a long one at the same place each time, so that being found again
does not say that a group is there. So the same is done to clouds as wide as the rows in each
principal direction, once normally distributed (as SigClust, Liu 2008) and once uniformly (as the
gap statistic, Tibshirani 2001): a group is one whose silhouette is above that of every group in
every such cloud.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.distances import unit
from tunewright.analysis.neighbours import Vectors
from tunewright.analysis.partitions import Partition, Progress, silhouettes

_CLOUDS = 8  # of each kind


@dataclass(frozen=True)
class Chance:
    """The largest silhouettes among clouds without groups: of a clustering, and of one cluster."""

    whole: float
    cluster: float


def by_chance(wide: Vectors, partition: Partition, *, seed: int, progress: Progress) -> Chance:
    """wide [n, m]: rows along their principal directions, not yet scaled to length 1."""
    whole = cluster = 0.0
    for done, cloud in enumerate(_clouds(wide, seed), 1):
        found = silhouettes(cloud, partition(unit(cloud)))
        whole = max(whole, found.whole or 0.0)
        cluster = max((cluster, *found.clusters))
        progress(done / (2 * _CLOUDS))
    return Chance(whole, cluster)


def _clouds(rows: Vectors, seed: int) -> Iterator[Vectors]:
    random = np.random.default_rng(seed)
    widths = rows.std(0, dtype=np.float64)
    for _ in range(_CLOUDS):
        yield _wide(random.normal(size=rows.shape), widths)
        yield _wide(random.uniform(-np.sqrt(3), np.sqrt(3), size=rows.shape), widths)


def _wide(points: NDArray[np.float64], widths: NDArray[np.float64]) -> Vectors:
    return (points * widths).astype(np.float32)
