"""Arithmetic of embedding vectors, float32 [n, d]: unit length, fewer dimensions, weighted mean."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def unit(rows: Floats) -> Floats:
    """Scale the rows of [n, d] to length 1, in place. A row of zeros becomes the uniform vector."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))  # [n]
    empty = lengths < 1e-12
    rows[empty] = rows.shape[1] ** -0.5
    lengths[empty] = 1
    rows /= lengths[:, None]
    return rows


def shortened(rows: Floats, dimensions: int) -> Floats:
    """A copy of the first `dimensions` components, scaled to length 1 again: [n, dimensions]."""
    return unit(rows[:, :dimensions].copy())


def averaged(rows: Floats, owners: Sequence[int], weights: Sequence[int], number: int) -> Floats:
    """[number, d]: row i is the weighted mean of the rows whose owner is i, scaled to length 1."""
    sums = np.zeros((number, rows.shape[1]), np.float32)
    np.add.at(sums, np.asarray(owners, np.intp), rows * np.asarray(weights, np.float32)[:, None])
    return unit(sums)
