"""Topics: unit vectors in clusters, by k-means on the sphere."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.neighbours import Vectors

_ROUNDS = 25
_ROWS_EACH = 25  # rows that make a topic
_MOST = 20


@dataclass(frozen=True)
class Topics:
    """`of` [n]: the topic of each row; `centres` [k, d], unit vectors."""

    of: NDArray[np.int64]
    centres: Vectors


def topics(vectors: Vectors, most: int = _MOST) -> Topics:
    """The same for the same vectors. As many topics as there are rows for, at most `most`."""
    number = max(1, min(most, len(vectors) // _ROWS_EACH))
    centres = _spread(vectors, number)
    of = assign(vectors, centres)
    for _ in range(_ROUNDS):
        sums = np.zeros_like(centres)
        np.add.at(sums, of, vectors)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centres)
        moved = assign(vectors, centres)
        if (moved == of).all():
            break
        of = moved
    return Topics(of, centres)


def assign(vectors: Vectors, centres: Vectors) -> NDArray[np.int64]:
    return np.argmax(vectors @ centres.T, axis=1)


def _spread(vectors: Vectors, number: int) -> Vectors:
    """First centres that lie apart (k-means++, with a fixed seed)."""
    random = np.random.default_rng(0)
    chosen = [int(random.integers(len(vectors)))]
    gaps = np.maximum(1 - vectors @ vectors[chosen[0]], 0)
    while len(chosen) < number and gaps.sum() > 0:
        chosen.append(int(random.choice(len(vectors), p=gaps / gaps.sum())))
        gaps = np.minimum(gaps, np.maximum(1 - vectors @ vectors[chosen[-1]], 0))
    return vectors[chosen].astype(np.float32)
