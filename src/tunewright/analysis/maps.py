"""A map: vectors as points of a plane, near where they are alike.

Two ways. Principal components are there at once, and say which way the table is wide. t-SNE
(openTSNE) keeps neighbours together, which is what a picture is looked at for; distances between
far groups, and the sizes of groups, mean nothing in it.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.components import principal
from tunewright.analysis.nearest import nearest
from tunewright.analysis.neighbours import Places, Vectors
from tunewright.analysis.partitions import Progress, quiet, sampled
from tunewright.analysis.threads import one_thread

Method = Literal["pca", "t-sne"]
METHODS: tuple[str, ...] = get_args(Method)
SAMPLE = 10_000  # rows that t-SNE is computed of
FEW = 16  # rows below which t-SNE has no neighbourhoods to keep
_DIMENSIONS = 50  # of the vectors whose neighbours are kept
_PERPLEXITY = 30
_PLACED_BY = 5  # nearest rows of the sample
_EARLY, _LATER = 250, 250  # steps
_TREE = 3_000  # rows up to which a tree is faster than a grid (1,000: 2.5 s against 7.8)
_EXAGGERATION = 12  # in the early steps
_GRID = 4_000  # rows from which the grid of FFT, 5 s of CPU, is quicker than a tree (1,000: 1.1 s)
_BATCH = 50  # steps between two reports of progress


@dataclass(frozen=True)
class Map:
    """positions [n, 2], from -1 to 1 in the wider direction, centred. method: the one that was
    used. sample: places of the rows that t-SNE placed, None for all; each other row lies amid those
    of them that are nearest to it.
    """

    positions: NDArray[np.float32]
    method: Method
    sample: Places | None


def mapped(
    vectors: Vectors,
    *,
    method: Method = "t-sne",
    seed: int = 0,
    progress: Progress = quiet,
) -> Map:
    """Vectors [n, d] on a map; the same bits for the same input, whatever the number of threads.

    t-SNE begins at the principal components, so that `seed` only chooses the sample: of more than
    10,000 rows, that many are placed, and the others by these. Fewer than 16 distinct rows are
    shown by principal components. t-SNE needs openTSNE.
    Raises ValueError for NaN (with its row), no rows, an unknown method.
    """
    _check(vectors, method)
    with one_thread():
        rows = principal(vectors, _DIMENSIONS)
        chosen = sampled(len(rows), SAMPLE, seed)
        few = rows[chosen]
        if method == "pca" or len(np.unique(few, axis=0)) < FEW:
            return Map(_scaled(_plane(rows)), "pca", None)
        positions = _tsne(few, progress)
        if len(few) == len(rows):
            return Map(_scaled(positions), "t-sne", None)
        return Map(_scaled(_amid(rows, few, positions)), "t-sne", chosen)


def _check(vectors: Vectors, method: str) -> None:
    if vectors.ndim != 2 or not len(vectors):
        raise ValueError(f"Vectors of shape {vectors.shape} are no rows: [n, d] is expected.")
    if len(wrong := np.flatnonzero(~np.isfinite(vectors).all(1))):
        raise ValueError(f"The vector of row {wrong[0]} holds NaN or infinity.")
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r}. Known: {', '.join(METHODS)}.")


def _plane(rows: Vectors) -> NDArray[np.float64]:
    """The first two columns [n, 2]; zeros where there is no second."""
    plane = np.zeros((len(rows), 2))
    plane[:, : min(2, rows.shape[1])] = rows[:, :2]
    return plane


def _scaled(positions: NDArray[np.float64]) -> NDArray[np.float32]:
    low, high = positions.min(0), positions.max(0)
    widest = (high - low).max()
    return ((positions - (low + high) / 2) / (widest / 2 if widest > 0 else 1)).astype(np.float32)


def _tsne(rows: Vectors, progress: Progress) -> NDArray[np.float64]:
    """[n, 2]. Neighbours are found exactly, so no approximate index decides anything."""
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    perplexity = min(_PERPLEXITY, (len(rows) - 1) // 3)
    ids, distances = _neighbours(rows, 3 * perplexity)
    affinities = PerplexityBasedNN(
        knn_index=PrecomputedNeighbors(ids, distances), perplexity=perplexity, n_jobs=1
    )
    start = _plane(rows)
    start *= 1e-4 / max(start[:, 0].std(), 1e-12)
    way = "bh" if len(rows) < _GRID else "fft"
    points = TSNEEmbedding(start, affinities, negative_gradient_method=way, n_jobs=1)
    steps = [(_EXAGGERATION, 0.5)] * (_EARLY // _BATCH) + [(1, 0.8)] * (_LATER // _BATCH)
    for done, (exaggeration, momentum) in enumerate(steps, 1):
        points = points.optimize(_BATCH, exaggeration=exaggeration, momentum=momentum)
        progress(done / len(steps))
    return np.asarray(points, np.float64)


def _neighbours(rows: Vectors, k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k nearest other rows of each: ids and distances [n, k]."""
    ids, distances = nearest(rows, rows, k + 1, "euclidean")
    other = ids != np.arange(len(rows))[:, None]
    other[other.all(1), -1] = False  # among many equal rows it is not among its own nearest
    kept = (len(rows), k)
    return ids[other].reshape(kept), distances[other].reshape(kept).astype(np.float64)


def _amid(rows: Vectors, few: Vectors, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row at the mean of the positions of the `few` nearest to it, by closeness."""
    ids, distances = nearest(rows, few, _PLACED_BY, "euclidean")
    near = 1 / np.maximum(distances.astype(np.float64), 1e-6) ** 2
    return np.einsum("nk,nkj->nj", near / near.sum(1, keepdims=True), positions[ids])
