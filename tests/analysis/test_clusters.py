"""Clusters of rows whose groups are known."""

from typing import Any

import numpy as np
import pytest

from tunewright.analysis import partitions
from tunewright.analysis.clusters import NOISE, Clusters, Method, clusters
from tunewright.analysis.neighbours import Vectors
from tunewright.analysis.stability import STABLE

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
def test_far_groups_of_unequal_size_are_found_and_stable(method: Method) -> None:
    sizes = (90, 12)
    found = clusters(clouds(sizes), ["text"] * 102, method=method)
    assert groups(found) == {frozenset(range(90)), frozenset(range(90, 102))}
    assert [len(cluster.rows) for cluster in found.all] == [90, 12]
    assert [cluster.stable for cluster in found.all] == [True, True]
    assert found.noise_share == 0


def noise(rows: int, dimensions: int) -> Vectors:
    return np.random.default_rng(8).uniform(size=(rows, dimensions)).astype(np.float32)


def long(rows: int) -> Vectors:
    """One cloud, much wider in a few directions than in the others, as embeddings are."""
    random = np.random.default_rng(8)
    points = random.normal(size=(rows, 64)) / np.arange(1, 65) + 1
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(
    ("method", "vectors"),
    [
        pytest.param("k-means", noise(200, 64), id="wide"),
        pytest.param("hdbscan", noise(200, 64), id="wide, by density"),
        pytest.param("k-means", noise(30, 3), id="few"),
        pytest.param("k-means", noise(150, 2), id="plane", marks=pytest.mark.slow),
        pytest.param("hdbscan", noise(150, 2), id="plane, by density", marks=pytest.mark.slow),
        pytest.param("k-means", long(200), id="long", marks=pytest.mark.slow),
        pytest.param("hdbscan", long(200), id="long, by density", marks=pytest.mark.slow),
    ],
)
def test_where_there_are_no_groups_no_cluster_is_called_stable(
    method: Method, vectors: Vectors
) -> None:
    found = clusters(vectors, ["text"] * len(vectors), method=method)
    assert not any(cluster.stable for cluster in found.all)


def test_one_long_cloud_is_cut_at_the_same_place_each_time_and_yet_not_stable() -> None:
    found = clusters(long(200), ["text"] * 200, k=2)
    stabilities = [cluster.stability for cluster in found.all]
    assert all(one is not None and one.value > STABLE for one in stabilities)
    assert not any(cluster.stable for cluster in found.all)


@pytest.mark.parametrize("rows", [1, 3, 30])
def test_rows_that_are_equal_are_one_cluster(rows: int) -> None:
    vectors = np.repeat(clouds((1,)), rows, axis=0)
    vectors += np.random.default_rng(1).normal(scale=1e-8, size=vectors.shape).astype(np.float32)
    found = clusters(vectors, ["The same text."] * rows)
    assert groups(found) == {frozenset(range(rows))}
    [cluster] = found.all
    assert (cluster.name, cluster.stability, cluster.stable) == ("The same text.", None, False)
    assert clusters(vectors, ["The same text."] * rows, k=rows).of.tolist() == [0] * rows


def test_two_texts_many_times_are_two_clusters() -> None:
    found = clusters(np.repeat(clouds((1, 1)), (7, 3), axis=0), ["one"] * 7 + ["two"] * 3)
    assert found.of.tolist() == [0] * 7 + [1] * 3
    assert [cluster.name for cluster in found.all] == ["one", "two"]


def test_a_number_of_clusters_that_is_asked_for_is_kept() -> None:
    found = clusters(clouds((20, 20, 20)), ["text"] * 60, k=5)
    assert (len(found.all), found.tried) == (5, ())
    assert sorted(row for cluster in found.all for row in cluster.rows) == [*range(60)]
    assert [len(one.rows) for one in found.all] == sorted(np.bincount(found.of), reverse=True)


def test_rows_that_lie_alone_are_noise_and_stay_visible() -> None:
    random = np.random.default_rng(4).normal(size=(40, 16))
    around = random / np.linalg.norm(random, axis=1, keepdims=True)
    vectors = np.concatenate([clouds((60, 60)), around]).astype(np.float32)
    found = clusters(vectors, ["text"] * 160, method="hdbscan")
    assert [len(set(found.of[:60])), len(set(found.of[60:120]))] == [1, 1]
    assert set(found.noise) == set(np.flatnonzero(found.of == NOISE)) <= {*range(120, 160)}
    assert 20 / 160 < found.noise_share == len(found.noise) / 160
    assert sum(len(cluster.rows) for cluster in found.all) == 160 - len(found.noise)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"k": 0}, "k is 0"),
        ({"k": 41}, "k is 41"),
        ({"k": 2, "method": "hdbscan"}, "leave k out"),
        ({"method": "other"}, "Unknown method 'other'. Known: k-means, hdbscan"),
    ],
)
def test_what_cannot_be_clustered_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        clusters(clouds((20, 20)), ["text"] * 40, **given)
    vectors = clouds((20, 20))
    vectors[7, 3] = np.nan
    with pytest.raises(ValueError, match="The vector of row 7 holds NaN"):
        clusters(vectors, ["text"] * 40)


@pytest.mark.slow
def test_many_groups_are_found_in_a_large_table() -> None:
    sizes = (60,) * 40
    found = clusters(clouds(sizes, dimensions=64), ["text"] * 2400)
    assert groups(found) == {frozenset(range(at, at + 60)) for at in range(0, 2400, 60)}
    assert found.sample == 2000
    assert all(cluster.stable for cluster in found.all)


def test_rows_beside_those_that_hdbscan_clusters_go_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partitions, "FITTED", 60)
    monkeypatch.setattr("tunewright.analysis.clusters.FITTED", 60)
    found = clusters(clouds((90, 60)), ["text"] * 150, method="hdbscan")
    assert groups(found) == {frozenset(range(90)), frozenset(range(90, 150))}
    assert found.fitted == 60
