"""Maps: neighbours stay together, and the same rows give the same bits in any process."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tunewright.analysis import maps
from tunewright.analysis.components import principal
from tunewright.analysis.maps import FEW, mapped
from tunewright.analysis.neighbours import Vectors

pytest.importorskip("openTSNE", reason="the extra `explore` is not installed")
_GROUPS = 5


def groups(rows: int, dimensions: int = 32) -> Vectors:
    """Unit vectors around five directions, in turn."""
    random = np.random.default_rng(2)
    middles = random.normal(size=(_GROUPS, dimensions))
    points = middles[np.arange(rows) % _GROUPS] + 0.3 * random.normal(size=(rows, dimensions))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def together(positions: Vectors) -> float:
    """The share of rows whose nearest other row on the map is of their group."""
    gaps = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    return float((gaps.argmin(1) % _GROUPS == np.arange(len(positions)) % _GROUPS).mean())


def test_principal_components_are_those_of_the_svd_with_fixed_signs() -> None:
    vectors = groups(40)
    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    found = principal(vectors, 3)
    for column, direction in zip(found.T, directions, strict=False):
        largest = direction[np.abs(direction).argmax()]
        np.testing.assert_allclose(column, centred @ direction * np.sign(largest), atol=1e-5)
    assert principal(vectors[:2], 50).shape == (2, 2)


@pytest.mark.parametrize("tree", [0, 60], ids=["by a grid", "by a tree"])
def test_rows_of_a_group_lie_together(monkeypatch: pytest.MonkeyPatch, tree: int) -> None:
    monkeypatch.setattr(maps, "_TREE", tree)
    found = mapped(groups(60))
    assert (found.method, found.sample) == ("t-sne", None)
    assert together(found.positions) == 1
    assert np.abs(found.positions).max() == 1


def test_rows_beside_the_sample_lie_amid_those_they_are_like(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(maps, "SAMPLE", 60)
    found = mapped(groups(200))
    assert found.sample is not None
    assert len(set(found.sample.tolist())) == 60
    assert together(found.positions) > 0.99


@pytest.mark.parametrize("rows", [1, 2, FEW - 1, FEW, 40])
def test_few_rows_and_equal_rows_have_finite_places(rows: int) -> None:
    for vectors in (groups(rows), np.repeat(groups(1), rows, axis=0)):
        found = mapped(vectors)
        assert found.positions.shape == (rows, 2)
        assert np.isfinite(found.positions).all()
        assert found.method == ("t-sne" if len(np.unique(vectors, axis=0)) >= FEW else "pca")


def test_what_cannot_be_mapped_is_refused() -> None:
    vectors = groups(20)
    with pytest.raises(ValueError, match="Unknown method 'other'"):
        mapped(vectors, method="other")  # pyright: ignore[reportArgumentType]
    vectors[4, 2] = np.inf
    with pytest.raises(ValueError, match="The vector of row 4 holds NaN or infinity"):
        mapped(vectors)


_SAID = """
import hashlib, numpy as np
from analysis.test_maps import groups
from tunewright.analysis.clusters import clusters
from tunewright.analysis import maps
from tunewright.analysis.maps import mapped
vectors = groups(300)
texts = [f"text {at} about {'abcde'[at % 5] * 4} and {'vwxyz'[at % 5] * 4}" for at in range(300)]
for method in ("k-means", "hdbscan"):
    found = clusters(vectors, texts, method=method)
    said = [(one.name, one.terms, one.stability, one.silhouette, *one.rows) for one in found.all]
    print(hashlib.sha256(repr((said, found.silhouette, found.chance)).encode()).hexdigest())
for maps._TREE in (0, 300):
    print(hashlib.sha256(mapped(vectors).positions.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_two_processes_with_other_threads_and_hashes_find_the_same() -> None:
    said = [_said(threads, seed) for threads, seed in (("1", "1"), ("2", "2"), ("7", "3"))]
    assert said[0].count("\n") == 4
    assert len(set(said)) == 1


def _said(threads: str, seed: str) -> str:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, threads), "PYTHONHASHSEED": seed}
    return subprocess.run(
        [sys.executable, "-c", _SAID],
        cwd=os.path.dirname(os.path.dirname(__file__)),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
