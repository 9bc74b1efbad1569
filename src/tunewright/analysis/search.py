"""Search in a table: by vectors, by words, or by both. Exact: every row is looked at.

Both together: `hybrid` adds up scores (`fusion.combined`), `rrf` goes by places (`fusion.fused`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.bm25 import WordIndex
from tunewright.analysis.distances import similarities, unit
from tunewright.analysis.fusion import DEPTH, combined, fused
from tunewright.analysis.nearest import Metric
from tunewright.analysis.neighbours import Places, Vectors
from tunewright.analysis.variety import POOL, varied

Method = Literal["hybrid", "rrf", "vectors", "words"]
METHODS: tuple[str, ...] = get_args(Method)
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Hit:
    """`score`: what the order is by: of vectors `similarity`, of words `words`; of both, about 1
    for a row that is the nearest and has every word.

    `similarity`: to the query, by the metric, higher is nearer. `words`: BM25, 0 where none of them
    is there. None where the method does not ask for it.
    """

    row: int
    score: float
    similarity: float | None = None
    words: float | None = None


def search(
    vectors: Vectors,
    words: WordIndex | None,
    query: Vectors | None,
    text: str,
    k: int,
    *,
    method: Method = "hybrid",
    metric: Metric = "cosine",
    mask: Mask | None = None,
    variety: float = 0.0,
) -> list[Hit]:
    """The k best rows for a query, best first; fewer where fewer are meant, or have its words.

    vectors: [n, d]. words: of the same n rows; needed by all but `vectors`. query: [d], the vector
    of `text`, needed by all but `words`. mask: bool [n], the rows that are meant. variety: above
    0, of near equals one is shown first (`variety.varied`; on unit vectors). Equal scores are in
    the order of rows. Raises ValueError for what does not fit.
    """
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r}. Known: {', '.join(METHODS)}.")
    if k < 1:
        raise ValueError(f"k is {k}: it is at least 1.")
    if method != "words" and query is None:
        raise ValueError(f"The method {method} needs the vector of the query.")
    if method != "vectors" and words is None:
        raise ValueError(f"The method {method} needs the words of the rows.")
    meant = np.arange(len(vectors)) if mask is None else np.flatnonzero(mask)
    near = said = None
    if query is not None and method != "words":
        near = similarities(query, vectors, metric)
    if words is not None and method != "vectors":
        said = words.scores(text)
    depth = k if variety == 0 else max(POOL * k, k + 20)
    if near is None or said is None:
        ranked = _by_one(near, said, meant, depth)
    elif method == "rrf":
        ranked = _by_places(near, said, meant, depth)
    else:
        assert words is not None
        scores = np.zeros(len(vectors))
        scores[meant] = combined(near[meant], words.shares(text)[meant])
        ranked = _pairs(scores, best(scores, meant, depth))
    if variety:
        ranked = _varied(ranked, vectors, k, variety)
    return [_hit(row, score, near, said) for row, score in ranked[:k]]


def best(scores: NDArray[np.float64], rows: Places, k: int) -> Places:
    """Of these rows the k of the highest scores, best first; of equals the earlier."""
    k = min(k, len(rows))
    if not k:
        return np.zeros(0, np.int64)
    of = scores[rows]
    border = np.partition(of, len(of) - k)[len(of) - k]
    kept = rows[of >= border]  # partition alone keeps any one of the equals at the border
    return kept[np.argsort(-scores[kept], kind="stable")][:k]


def _pairs(scores: NDArray[np.float64], rows: Places) -> list[tuple[int, float]]:
    return [(row, float(scores[row])) for row in rows.tolist()]


def _by_one(
    near: NDArray[np.float64] | None, said: NDArray[np.float64] | None, meant: Places, k: int
) -> list[tuple[int, float]]:
    if near is not None:
        return _pairs(near, best(near, meant, k))
    assert said is not None
    return _pairs(said, best(said, meant[said[meant] > 0], k))


def _by_places(
    near: NDArray[np.float64], said: NDArray[np.float64], meant: Places, k: int
) -> list[tuple[int, float]]:
    depth = max(DEPTH, k)
    by_vector = best(near, meant, depth).tolist()
    by_words = best(said, meant[said[meant] > 0], depth).tolist()
    together = fused(((1.0, by_vector), (1.0, by_words)))
    # Two rows that are first in one list each are equal: the nearer one then.
    return sorted(together.items(), key=lambda pair: (-pair[1], -near[pair[0]], pair[0]))[:k]


def _varied(
    ranked: Sequence[tuple[int, float]], vectors: Vectors, k: int, variety: float
) -> list[tuple[int, float]]:
    """Scores as shares of the best one where they are of another scale than cosines."""
    if not ranked:
        return []
    scores = np.array([score for _, score in ranked])
    relevance = scores if np.abs(scores).max() <= 1 else scores / np.abs(scores).max()
    rows = [row for row, _ in ranked]
    return [ranked[place] for place in varied(relevance, unit(vectors[rows]), k, variety).tolist()]


def _hit(
    row: int, score: float, near: NDArray[np.float64] | None, said: NDArray[np.float64] | None
) -> Hit:
    return Hit(
        row,
        score,
        None if near is None else float(near[row]),
        None if said is None else float(said[row]),
    )
