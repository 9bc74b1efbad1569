"""Clusters of rows whose groups are known."""

import numpy as np
import pytest

from tunewright.analysis.clusters import Clusters, clusters
from tunewright.analysis.neighbours import Vectors

pytest.importorskip("sklearn", reason="the extra `explore` is not installed")


def clouds(sizes: tuple[int, ...], spread: float = 0.3, dimensions: int = 16) -> Vectors:
    """Unit vectors around as many directions as there are sizes, one cloud after another."""
    random = np.random.default_rng(5)
    middles = np.linalg.qr(random.normal(size=(dimensions, dimensions)))[0][: len(sizes)]
    rows = np.repeat(middles, sizes, axis=0)
    rows = rows + spread / np.sqrt(dimensions) * random.normal(size=rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def groups(found: Clusters) -> set[frozenset[int]]:
    return {frozenset(cluster.rows.tolist()) for cluster in found.all}


@pytest.mark.parametrize("method", ["k-means", "hdbscan"])
def test_far_groups_of_unequal_size_are_found_and_stable(method: str) -> None:
    sizes = (90, 12)
    found = clusters(clouds(sizes), ["text"] * 102, method=method)  # pyright: ignore[reportArgumentType]
    assert groups(found) == {frozenset(range(90)), frozenset(range(90, 102))}
    assert [len(cluster.rows) for cluster in found.all] == [90, 12]
    assert [cluster.stable for cluster in found.all] == [True, True]
    assert found.noise_share == 0
