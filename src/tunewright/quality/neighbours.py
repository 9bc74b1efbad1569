"""One pass over unit vectors for all pairs that lie close: exact, in blocks."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tunewright.quality.rows import Vectors

_BLOCK = 16_000_000  # similarities held at once: 64 MB
MOST_CLOSE = 20  # pairs of a row that are looked at: in a file of one theme all lie close


def pairs(queries: Vectors, vectors: Vectors, least: float) -> Iterator[tuple[int, int]]:
    """(row of `queries`, row of `vectors`) with a cosine of at least `least`, the closest first, at
    most `MOST_CLOSE` of a query."""
    for start, scores in _blocks(queries, vectors):
        for at, other in _close(scores, least):
            yield start + at, other


def within(vectors: Vectors, least: float) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) of one file: each row is held against later ones, half the work."""
    start = 0
    while start < len(vectors):
        step = max(1, _BLOCK // (len(vectors) - start))
        scores = vectors[start : start + step] @ vectors[start:].T
        scores[np.tri(*scores.shape, dtype=np.bool_)] = -1
        for at, other in _close(scores, least):
            yield start + at, start + other
        start += step


def _close(scores: Vectors, least: float) -> Iterator[tuple[int, int]]:
    close = scores >= least
    for at in np.flatnonzero(close.any(axis=1)).tolist():
        others = np.flatnonzero(close[at])
        best = np.argsort(-scores[at, others], kind="stable")[:MOST_CLOSE]
        yield from ((at, other) for other in others[best].tolist())


def crowd(queries: Vectors, vectors: Vectors, least: float) -> NDArray[np.int64]:
    """How many rows of `vectors` lie within `least` of each query; 1 where none does."""
    counts = [np.count_nonzero(scores >= least, axis=1) for _, scores in _blocks(queries, vectors)]
    return np.maximum(np.concatenate(counts), 1) if counts else np.zeros(0, np.int64)


def _blocks(queries: Vectors, vectors: Vectors) -> Iterator[tuple[int, Vectors]]:
    step = max(1, _BLOCK // max(len(vectors), 1))
    for start in range(0, len(queries), step):
        yield start, queries[start : start + step] @ vectors.T
