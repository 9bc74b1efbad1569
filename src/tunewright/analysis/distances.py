"""How near two vectors are, by the same three words everywhere: cosine, dot, euclidean.

On unit vectors the three rank alike: |a - b|^2 = 2 - 2 a.b, and the cosine is a.b. On others they
do not: `dot` prefers long vectors, whatever their direction; `euclidean` prefers vectors of like
length; `cosine` leaves lengths out, and of a vector of length 0 it is 0 to everything.
"""

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.nearest import METRICS, Metric
from tunewright.analysis.neighbours import Vectors

_BLOCK = 8_192  # rows made float64 at once


def similarities(
    query: NDArray[np.floating], vectors: Vectors, metric: Metric = "cosine"
) -> NDArray[np.float64]:
    """[d], [n, d] -> [n]: higher is nearer. The cosine, the dot product, or the negative Euclidean
    distance.

    In float64, each row by itself: equal rows have equal bits, wherever they lie and however many
    threads there are, which a product of matrices does not promise. Raises ValueError for shapes
    that do not fit, an unknown metric, and NaN or infinity, with the row.
    """
    if metric not in METRICS:
        raise ValueError(f"Unknown metric {metric!r}. Known: {', '.join(METRICS)}.")
    if query.ndim != 1 or vectors.ndim != 2 or vectors.shape[1] != len(query):
        raise ValueError(f"Shapes {query.shape} and {vectors.shape} do not fit: [d], [n, d].")
    if not np.isfinite(query).all():
        raise ValueError("The query holds NaN or infinity.")
    wide = query.astype(np.float64)
    found = np.zeros(len(vectors))
    for start in range(0, len(vectors), _BLOCK):
        rows = vectors[start : start + _BLOCK].astype(np.float64)
        if not (finite := np.isfinite(rows).all(axis=1)).all():
            row = start + int(np.argmin(finite))
            raise ValueError(f"The vector of row {row} holds NaN or infinity.")
        found[start : start + _BLOCK] = _near(wide, rows, metric)
    return found


def _near(
    query: NDArray[np.float64], rows: NDArray[np.float64], metric: Metric
) -> NDArray[np.float64]:
    if metric == "euclidean":
        return -np.sqrt(np.square(rows - query).sum(axis=1))
    products = np.multiply(rows, query).sum(axis=1)
    if metric == "dot":
        return products
    lengths = np.sqrt(np.square(rows).sum(axis=1)) * np.sqrt(np.square(query).sum())
    return np.clip(products / np.where(lengths > 0, lengths, 1), -1, 1)


def unit(vectors: NDArray[np.floating]) -> Vectors:
    """[..., d], each of length 1; one of length 0 stays as it is."""
    lengths = np.sqrt(np.square(vectors.astype(np.float64)).sum(axis=-1, keepdims=True))
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
