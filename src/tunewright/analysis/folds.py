"""Folds for cross-validation that keep near-duplicates together."""

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.neighbours import Vectors, within

Places = NDArray[np.int64]
FOLDS = 5
ALIKE = 0.98  # cosine from which on two rows are taken as one text


def check(vectors: Vectors, rows: int) -> None:
    """Raises ValueError for NaN, naming the row, and where there are not as many rows."""
    if len(vectors) != rows:
        raise ValueError(f"There are {len(vectors):,} vectors and {rows:,} values for them.")
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise ValueError(f"The vector of row {bad[0]} holds NaN or infinity.")


def alike(vectors: Vectors, least: float = ALIKE) -> Places:
    """The group of each row [n], numbered from 0: rows that are near-duplicates of each other, or
    of one that both are close to, have one number. `vectors` [n, d] of length 1."""
    group = list(range(len(vectors)))

    def first(row: int) -> int:
        while group[row] != row:
            group[row] = group[group[row]]
            row = group[row]
        return row

    for one, other in within(vectors, least).at_least(least):
        low, high = sorted((first(one), first(other)))
        group[high] = low
    heads = np.array([first(row) for row in range(len(group))], np.int64)
    return np.unique(heads, return_inverse=True)[1].astype(np.int64)


def number_of_folds(of: Places, groups: Places, most: int = FOLDS) -> int:
    """As many as each class has groups of near-duplicates, at least 2 and at most `most`."""
    smallest = min(len(np.unique(groups[of == number])) for number in np.unique(of))
    return max(2, min(most, smallest))


def folds(of: Places, groups: Places, number: int, seed: int = 0) -> Places:
    """The fold of each row [n]: a group is in one fold, and the classes `of` [n] are spread evenly
    (a group counts for the class of its first row)."""
    first = np.unique(groups, return_index=True)[1]  # [g]
    shuffled = np.random.default_rng(seed).permutation(len(first))
    order = shuffled[np.argsort(of[first][shuffled], kind="stable")]  # class by class
    fold = np.empty(len(first), np.int64)
    fold[order] = np.arange(len(first)) % number
    return fold[groups]
