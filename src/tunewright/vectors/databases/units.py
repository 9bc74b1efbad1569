"""Vectors of length 1, for databases that would make them so by themselves and forget what was
given, or whose cosine is another's."""

import base64
from collections.abc import Sequence

import numpy as np

from tunewright.vectors.index import Floats, Metric

_SAME = 1e-6  # from length 1: rounding, which is not worth a second copy


def units(vectors: Floats, metric: Metric) -> tuple[Floats, list[str | None]]:
    """What is compared [n, d], and of each row what was given, in base64, where that is another.

    Rows of other metrics than cosine stay as they are, and so does one whose length is 1 already.
    """
    if metric != "cosine" or not len(vectors):
        return vectors, [None] * len(vectors)
    wide = vectors.astype(np.float64)
    # Of float32's numbers no square overflows or vanishes.
    lengths = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    same = np.abs(lengths - 1) < _SAME  # [n]
    if same.all():  # as most embeddings are
        return vectors, [None] * len(vectors)
    made = (wide / lengths[:, None]).astype(np.float32)
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
