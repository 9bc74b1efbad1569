"""The k nearest other rows of every row, exact: what anomalies and near-duplicates are found by."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Places = NDArray[np.int64]
Progress = Callable[[float], None]

_BLOCK = 16_000_000  # similarities held at once: 64 MB
_COLUMNS = 512  # columns of a block whose largest are compared to find what can be among the best


def quiet(_: float) -> None:
    """Progress that nobody hears of."""


@dataclass(frozen=True)
class Knn:
    """`ids` [n, k]: of each row its nearest others, nearest first, among equals the earlier one.
    `distances` [n, k]: 1 - cosine, from 0 to 2."""

    ids: Places
    distances: Vectors


def knn(vectors: Vectors, k: int, progress: Progress = quiet, rows: Places | None = None) -> Knn:
    """Of unit vectors [n, d]; k is at most n - 1. A vector of length 0 has the distance 1 to all.

    rows [m]: places of those whose neighbours are wanted, if not all; the result is of these.
    Memory beyond the result is some 200 MB, however many rows there are.
    """
    rows = np.arange(len(vectors)) if rows is None else rows
    k = max(0, min(k, len(vectors) - 1))
    ids, distances = np.zeros((len(rows), k), np.int64), np.zeros((len(rows), k), np.float32)
    for block in _blocks(len(rows) if k else 0, len(vectors)):
        cosines = vectors[rows[block]] @ vectors.T  # [block, n]
        cosines[np.arange(len(cosines)), rows[block]] = -np.inf  # itself
        ids[block], best = largest(cosines, k)
        distances[block] = np.maximum(1 - best, 0)
        progress(block.stop / len(rows))
    return Knn(ids, distances)


def nearest_of(queries: Vectors, vectors: Vectors, k: int) -> Knn:
    """The k nearest rows of `vectors` [n, d] of each of `queries` [m, d], all of length 1."""
    k = min(k, len(vectors))
    ids, distances = np.zeros((len(queries), k), np.int64), np.zeros((len(queries), k), np.float32)
    for block in _blocks(len(queries) if k else 0, len(vectors)):
        ids[block], best = largest(queries[block] @ vectors.T, k)
        distances[block] = np.maximum(1 - best, 0)
    return Knn(ids, distances)


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(columns, 1))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def largest(scores: Vectors, k: int) -> tuple[Places, Vectors]:
    """The places [m, k] of the k largest of each row of `scores` [m, n], in order; among equals the
    lowest place. And their scores [m, k]."""
    rows, columns = np.nonzero(scores >= _border(scores, k)[:, None])
    found = scores[rows, columns]
    order = np.lexsort((columns, -found, rows))
    rows, columns, found = rows[order], columns[order], found[order]
    kept = np.arange(len(rows)) - np.searchsorted(rows, rows) < k
    return columns[kept].reshape(-1, k), found[kept].reshape(-1, k)


def _border(scores: Vectors, k: int) -> Vectors:
    """A score [m] that the k largest of each row reach, and few others.

    Of columns in groups, the k-th largest of the groups' maxima: k columns reach it. Finding it
    reads the scores once; partitioning whole rows took five times as long as the product.
    """
    few = scores
    if scores.shape[1] >= 4 * _COLUMNS and k < _COLUMNS:
        whole = scores.shape[1] // _COLUMNS * _COLUMNS
        few = scores[:, :whole].reshape(len(scores), -1, _COLUMNS).max(axis=1)  # [m, _COLUMNS]
    return np.partition(few, few.shape[1] - k, axis=1)[:, few.shape[1] - k]
