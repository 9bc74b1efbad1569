"""Length, beginning and mean of vectors, by hand."""

import numpy as np

from tunewright.embedding.vectors import averaged, shortened, unit


def test_unit() -> None:
    rows = unit(np.array([[3, 4], [0, 0], [0, -2]], np.float32))
    half = 0.5**0.5
    np.testing.assert_allclose(rows, [[0.6, 0.8], [half, half], [0, -1]], atol=1e-6)


def test_shortened_leaves_the_rows_alone() -> None:
    rows = np.array([[0.6, 0.0, 0.8], [0.0, 0.0, 1.0]], np.float32)
    half = 0.5**0.5
    np.testing.assert_allclose(shortened(rows, 2), [[1, 0], [half, half]], atol=1e-6)
    np.testing.assert_allclose(shortened(rows, 1), [[1], [1]])
    np.testing.assert_allclose(shortened(rows, 3), rows, atol=1e-6)
    assert rows[0, 2] == np.float32(0.8)


def test_averaged_by_weight() -> None:
    rows = np.array([[1, 0], [0, 1], [0, 1], [1, 0], [-1, 0]], np.float32)
    found = averaged(rows, [0, 0, 1, 2, 2], [3, 4, 9, 5, 5], 3)
    half = 0.5**0.5
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 1], [half, half]], atol=1e-6)
