"""How far rows are from a query, and which are the nearest: in float64, for whoever compares rows.

The same row gives the same bits wherever it lies, so that equal rows are in the order of their ids.
A product of matrices would not have that.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tunewright.vectors.index import Floats, Hits, Metric, score_of

Wide = NDArray[np.float64]


def distances(metric: Metric, query: Wide, rows: Wide) -> Floats:
    """[d], [n, d] -> [n], as `Hits.distances` has them. Beyond float32 one is infinite."""
    with np.errstate(over="ignore"):
        if metric == "euclidean":
            return np.sqrt(np.square(rows - query).sum(axis=1)).astype(np.float32)
        products = np.multiply(rows, query).sum(axis=1)
        if metric == "dot":
            return -products.astype(np.float32)
    lengths = np.sqrt(np.square(rows).sum(axis=1)) * np.sqrt(np.square(query).sum())
    # Rounded before it is taken from 1: rows of one direction differ by 1e-16, which 0 would show.
    return np.float32(1) - np.clip((products / lengths).astype(np.float32), -1, 1)


def nearest(metric: Metric, queries: Floats, ids: Sequence[str], rows: Floats, k: int) -> Hits:
    """The k nearest of rows [n, d], which have these ids, to each of queries [m, d]."""
    wide = rows.astype(np.float64)
    found = [distances(metric, query.astype(np.float64), wide) for query in queries]
    best = [sorted(zip(row.tolist(), ids, strict=True))[:k] for row in found]
    away = np.array([[distance for distance, _ in row] for row in best], np.float32)
    away = away.reshape(len(queries), min(k, len(ids)))
    return Hits([[id for _, id in row] for row in best], score_of(away, metric), away)
