"""Vectors of length 1, for databases that would make them so by themselves and forget what was
given, or whose cosine is another's."""

import base64
from collections.abc import Sequence

import numpy as np

from tunewright.vectors.checking import squared
from tunewright.vectors.index import Floats, Metric

_SAME = 1e-6  # from length 1: rounding, which is not worth a second copy


def units(vectors: Floats, metric: Metric) -> tuple[Floats, list[str | None]]:
    """What is compared [n, d], and of each row what was given, in base64, where that is another.

    Rows of other metrics than cosine stay as they are, and so does one whose length is 1 already.
    """
    if metric != "cosine" or not len(vectors):
        return vectors, [None] * len(vectors)
    squares = squared(vectors)  # of float32's numbers: none overflows or vanishes
    if float(squares.min()) > 1 - _SAME and float(squares.max()) < 1 + _SAME:
        return vectors, [None] * len(vectors)  # as most embeddings are
    lengths = np.sqrt(squares)
    same = np.abs(lengths - 1) < _SAME  # [n]
    made = (vectors.astype(np.float64) / lengths[:, None]).astype(np.float32)
    made[same] = vectors[same]
    originals = [
        None if kept else base64.b64encode(row.astype("<f4").tobytes()).decode()
        for kept, row in zip(same.tolist(), vectors, strict=True)
    ]
    return made, originals


def given(vectors: Floats, originals: Sequence[str | None]) -> Floats:
    """[n, d]: the vectors as they were given."""
    rows = vectors.copy()
    for at, original in enumerate(originals):
        if original is not None:
            rows[at] = np.frombuffer(base64.b64decode(original), "<f4")
    return rows
