"""`nearest` against the plainest possible search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewright.analysis import nearest as module
from tunewright.analysis.nearest import nearest

METRICS = ("cosine", "dot", "euclidean")


def keys(queries: np.ndarray, vectors: np.ndarray, metric: str) -> np.ndarray:
    """The smallest is best."""
    q, v = queries.astype(np.float64), vectors.astype(np.float64)
    if metric == "euclidean":
        return np.linalg.norm(q[:, None] - v, axis=2)
    if metric == "cosine":
        q, v = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300) for x in (q, v))
    return -(q @ v.T)


@pytest.mark.parametrize("metric", METRICS)
@given(
    st.integers(0, 5),
    st.integers(0, 40),
    st.integers(1, 6),
    st.integers(0, 50),
    st.integers(0, 99),
)
def test_agrees_with_brute_force(metric: str, m: int, n: int, d: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    queries = rng.standard_normal((m, d), np.float32)
    vectors = rng.standard_normal((n, d), np.float32)
    ids, scores = nearest(queries, vectors, k, metric)  # type: ignore[arg-type]
    assert ids.shape == scores.shape == (m, min(k, n))
    assert (ids.dtype, scores.dtype) == (np.int64, np.float32)
    every = keys(queries, vectors, metric)
    found = scores if metric == "euclidean" else -scores
    np.testing.assert_allclose(found, np.sort(every, axis=1)[:, :k], atol=2e-3)
    np.testing.assert_allclose(np.take_along_axis(every, ids, 1), found, atol=2e-3)
    assert all(len(set(row)) == len(row) for row in ids.tolist())


@pytest.mark.parametrize("metric", METRICS)
def test_equal_scores_are_ordered_by_id(metric: str) -> None:
    vectors = np.tile(np.eye(4, dtype=np.float32), (25, 1))
    ids, _ = nearest(np.eye(4, dtype=np.float32)[1:2], vectors, 10, metric)  # type: ignore[arg-type]
    assert ids.tolist() == [list(range(1, 41, 4))]


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    queries, vectors = rng.standard_normal((50, 8)), rng.standard_normal((300, 8))
    whole = nearest(queries, vectors, 7)
    monkeypatch.setattr(module, "_BLOCK", 700)
    parts = nearest(queries, vectors, 7)
    np.testing.assert_array_equal(whole[0], parts[0])
    np.testing.assert_allclose(whole[1], parts[1], atol=1e-6)


def test_a_vector_of_length_zero_has_cosine_zero() -> None:
    ids, scores = nearest(np.ones((1, 2)), np.array([[0, 0], [1, 1], [-1, -1]]), 3)
    assert ids.tolist() == [[1, 0, 2]]
    np.testing.assert_allclose(scores, [[1, 0, -1]], atol=1e-6)


def test_the_arguments_are_not_changed() -> None:
    vectors = np.array([[3.0, 4.0]], np.float32)
    nearest(vectors, vectors, 1)
    assert vectors.tolist() == [[3.0, 4.0]]


@pytest.mark.parametrize(
    ("queries", "vectors", "k", "metric"),
    [
        (np.ones((1, 2)), np.ones((1, 3)), 1, "cosine"),
        (np.ones(2), np.ones((1, 2)), 1, "cosine"),
        (np.ones((1, 2)), np.ones((1, 2)), -1, "cosine"),
        (np.ones((1, 2)), np.ones((1, 2)), 1, "manhattan"),
        (np.full((1, 2), np.nan), np.ones((1, 2)), 1, "dot"),
    ],
)
def test_what_makes_no_sense_is_refused(
    queries: np.ndarray, vectors: np.ndarray, k: int, metric: str
) -> None:
    with pytest.raises(ValueError, match=r"Shapes|negative|metric|NaN"):
        nearest(queries, vectors, k, metric)  # type: ignore[arg-type]
