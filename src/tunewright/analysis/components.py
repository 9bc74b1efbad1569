"""Principal components: vectors in the few directions in which they differ most."""

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.neighbours import Vectors

_BLOCK = 16_384  # rows whose products are summed at once, in float64: 130 MB at 1,024 dimensions


def principal(vectors: Vectors, dimensions: int) -> Vectors:
    """[n, d] -> [n, m], m = `dimensions` or what the vectors have: centred, the widest first.

    The sign of each column is fixed: the direction's largest component is positive. Exact, by the
    d x d covariance. Call it inside `one_thread`: where two directions are nearly as wide as one
    another, the last bit of a sum decides.
    """
    mean = vectors.mean(0, dtype=np.float64)
    directions = _directions(vectors, mean)[:, : min(dimensions, len(vectors))]  # [d, m]
    signs = np.sign(np.take_along_axis(directions, np.abs(directions).argmax(0)[None], axis=0))
    directions = directions * np.where(signs == 0, 1, signs)
    blocks = [
        (vectors[start : start + _BLOCK] - mean) @ directions
        for start in range(0, len(vectors), _BLOCK)
    ]
    return np.concatenate(blocks).astype(np.float32)


def _directions(vectors: Vectors, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """[d, d], a column each, the widest first."""
    spread = np.zeros((vectors.shape[1], vectors.shape[1]), np.float64)
    for start in range(0, len(vectors), _BLOCK):
        centred = vectors[start : start + _BLOCK] - mean
        spread += centred.T @ centred
    _, directions = np.linalg.eigh(spread)  # the narrowest first
    return directions[:, ::-1]
