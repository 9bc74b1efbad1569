"""Nearest neighbours, exact: a baseline that needs no index and the reference for those that do."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Metric = Literal["cosine", "dot", "euclidean"]
METRICS: tuple[str, ...] = get_args(Metric)
_BLOCK = 4_000_000  # scores held at once: 16 MB of float32


def nearest(
    queries: NDArray[np.floating],
    vectors: NDArray[np.floating],
    k: int,
    metric: Metric = "cosine",
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The `k` rows of `vectors` nearest to each query: (ids [m, k], scores [m, k]), best first.

    Where there are fewer than `k` vectors, there are as many columns as vectors. The score is the
    cosine, the dot product, or the Euclidean distance (there the smallest is best). A vector of
    length 0 has the cosine 0 to everything. Equal scores are ordered by id. Arithmetic is float32;
    memory beyond the result and one float32 copy of the vectors is bounded.
    Raises ValueError for shapes that do not fit, a negative k, an unknown metric or NaN.
    """
    queries, vectors = _checked(queries, vectors, k)
    k = min(k, len(vectors))
    if metric not in METRICS:
        raise ValueError(f"Unknown metric {metric!r}. Known: {', '.join(METRICS)}.")
    if metric == "cosine":
        queries, vectors = _unit(queries), _unit(vectors)
    ids = np.zeros((len(queries), k), np.int64)
    scores = np.zeros((len(queries), k), np.float32)
    if k:
        step = max(1, _BLOCK // len(vectors))
        for start in range(0, len(queries), step):
            block = slice(start, start + step)
            ids[block], scores[block] = _best(queries[block], vectors, k, metric)
    return ids, scores


def _checked(
    queries: NDArray[np.floating], vectors: NDArray[np.floating], k: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if queries.ndim != 2 or vectors.ndim != 2 or queries.shape[1] != vectors.shape[1]:
        raise ValueError(f"Shapes {queries.shape} and {vectors.shape} do not fit: [m, d], [n, d].")
    if k < 0:
        raise ValueError(f"k is {k}: it cannot be negative.")
    queries, vectors = (
        queries.astype(np.float32, copy=False),
        vectors.astype(np.float32, copy=False),
    )
    if not (np.isfinite(queries).all() and np.isfinite(vectors).all()):
        raise ValueError("A vector holds NaN or infinity.")
    return queries, vectors


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    lengths[lengths == 0] = 1
    return rows / lengths[:, None]


def _best(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], k: int, metric: Metric
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """One block. `keys` are such that the smallest is best."""
    products = queries @ vectors.T
    keys = -products
    if metric == "euclidean":
        keys = _distances(queries, vectors, products)
    ids = np.stack([_smallest(row, k) for row in keys])
    found = np.take_along_axis(keys, ids, axis=1)
    return ids, found if metric == "euclidean" else -found


def _distances(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], products: NDArray[np.float32]
) -> NDArray[np.float32]:
    squares = np.einsum("ij,ij->i", queries, queries)[:, None]
    squares = squares + np.einsum("ij,ij->i", vectors, vectors) - 2 * products
    return np.sqrt(np.maximum(squares, 0))


def _smallest(keys: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The places of the k smallest, in order; among equals the lowest place.

    argpartition alone keeps an arbitrary one of the equals at the border; so it only finds the
    border, and all that lie below or on it are sorted.
    """
    border = np.partition(keys, k - 1)[k - 1]
    candidates = np.flatnonzero(keys <= border)
    return candidates[np.argsort(keys[candidates], kind="stable")[:k]]
