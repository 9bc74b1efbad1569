"""Maximal marginal relevance: of rows that answer, some that are not all alike."""

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.neighbours import Places, Vectors

POOL = 5  # candidates for each row that is wanted


def varied(
    relevance: NDArray[np.float64], vectors: Vectors, k: int, variety: float = 0.3
) -> Places:
    """Places of k candidates, the first one that of the greatest relevance.

    Each next one has the greatest (1 - variety) * relevance - variety * (its cosine to the nearest
    one that is chosen already): Carbonell and Goldstein, 1998. Of equals the earlier one.

    relevance: [c], of the scale of a cosine. vectors: [c, d], unit vectors. variety: 0 (by
    relevance alone) to 1.
    """
    if not 0 <= variety <= 1:
        raise ValueError(f"variety is {variety}: it lies between 0 and 1.")
    chosen: list[int] = []
    closest = np.full(len(relevance), -1.0)  # [c] to what is chosen
    left = np.ones(len(relevance), np.bool_)
    for _ in range(min(k, len(relevance))):
        worth = (1 - variety) * relevance - (variety * closest if chosen else 0)
        best = int(np.argmax(np.where(left, worth, -np.inf)))
        chosen.append(best)
        left[best] = False
        closest = np.maximum(closest, np.multiply(vectors, vectors[best]).sum(axis=1))
    return np.array(chosen, np.int64)
