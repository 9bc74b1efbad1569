"""How varied a table is: unit vectors [n, d] and their near-duplicates.

Vendi score: Friedman and Dieng, "The Vendi Score: a diversity evaluation metric for machine
learning" (2023): exp of the entropy of the eigenvalues of K / n, with the cosines K.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.duplicates import Groups, equal
from tunewright.analysis.intervals import Interval, bootstrap
from tunewright.analysis.knn import Vectors

_BLOCK = 8192  # rows whose float64 copy is held at once


@dataclass(frozen=True)
class Diversity:
    """mean_distance: of two rows taken at random, 1 - cosine. vendi: so many rows that have nothing
    in common would be as varied; at most n and d. effective_rows: so many different rows would be
    as varied if only near-duplicates had anything in common; `rows` where there are none.
    duplicates: the rows of each group of near-duplicates; duplicate_rows: how many rows go if of
    each group one stays. threshold: the cosine that made them near-duplicates; None where texts
    were compared."""

    rows: int
    mean_distance: Interval
    vendi: float
    effective_rows: float
    duplicates: tuple[tuple[int, ...], ...]
    duplicate_rows: int
    threshold: float | None = None


def diversity(
    vectors: Vectors, *, groups: Groups | None = None, threshold: float | None = None, seed: int = 0
) -> Diversity:
    """Of unit vectors [n, d]; groups: their near-duplicates, else equal vectors only.

    Vendi and effective rows have no interval: a row that a bootstrap draws twice is a duplicate, so
    that every draw is less varied than the table.
    Raises ValueError for no rows, or NaN.
    """
    check(vectors)
    groups = groups or equal(vectors)
    sizes = groups.sizes
    return Diversity(
        len(vectors),
        mean_distance(vectors, groups, seed),
        vendi_score(vectors),
        float(np.exp(_entropy(sizes / sizes.sum()))),
        groups.groups,
        len(vectors) - len(sizes),
        threshold,
    )


def check(vectors: Vectors) -> None:
    if not len(vectors):
        raise ValueError("There are no rows with a vector.")
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise ValueError(f"The vector of row {bad[0]} holds NaN or infinity.")


def distances_of_rows(vectors: Vectors) -> NDArray[np.float64]:
    """The mean distance [n] of each row to all others, exactly, without comparing any two: with the
    sum s of unit vectors, the cosines of v to the others add up to v.s - v.v."""
    if len(vectors) < 2:
        return np.zeros(len(vectors))
    total = vectors.sum(axis=0, dtype=np.float64)  # [d]
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)  # [n]: 1, or 0 of no length
    along = np.concatenate(
        [part.astype(np.float64) @ total for part in _blocks(vectors)]  # [n]
    )
    return 1 - (along - squares) / (len(vectors) - 1)


def mean_distance(vectors: Vectors, groups: Groups, seed: int = 0) -> Interval:
    """Of two different rows taken at random, exactly; near-duplicates are drawn together.

    The interval is of the mean's linear part: a pair's mean moves by twice what the mean over rows
    of their mean distances moves (Hoeffding), and rows drawn twice, which are no pair, do no harm.
    """
    of_rows = distances_of_rows(vectors)
    value = float(of_rows.mean())
    return bootstrap(
        lambda rows: value + 2 * (float(of_rows[rows].mean()) - value),
        len(vectors),
        seed=seed,
        groups=groups.of if len(groups.first) < len(vectors) else None,
    )


def vendi_score(vectors: Vectors) -> float:
    """By whichever of the cosines [n, n] and the Gram matrix [d, d] is smaller: their eigenvalues
    are the same but for zeros."""
    rows, dimensions = vectors.shape
    if rows <= dimensions:
        exact = vectors.astype(np.float64)
        gram = exact @ exact.T  # [n, n]
    else:
        gram = np.zeros((dimensions, dimensions))
        for part in _blocks(vectors):
            exact = part.astype(np.float64)
            gram += exact.T @ exact  # [d, d]
    total = np.trace(gram)
    if total <= 0:
        return 1.0  # vectors of length 0 only: all the same
    return float(np.exp(_entropy(np.linalg.eigvalsh(gram) / total)))


def _blocks(vectors: Vectors) -> list[Vectors]:
    return [vectors[start : start + _BLOCK] for start in range(0, len(vectors), _BLOCK)]


def _entropy(shares: NDArray[np.float64]) -> float:
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())
