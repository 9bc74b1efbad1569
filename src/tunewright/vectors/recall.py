"""How many of the true nearest an index finds: its answers against every row that it has."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.vectors.index import Floats, Metric, Rows, VectorIndex

PAGE = 4096  # rows read at once
_AT_ONCE = 100  # queries of one search
_ALIKE = 1e-5
"""Distances in float32 that differ by less are the same: either row is one of the nearest."""
_Z = 1.959964  # of a normal distribution, 95 % lie within so many standard deviations


@dataclass(frozen=True)
class Recall:
    """`value`: of the k nearest rows to each query, the share that was found.

    low, high: its 95 % interval (Wilson). Each query counts as one trial there, for what is missed
    is missed by whole neighbourhoods.
    """

    rows: int
    queries: int
    k: int
    value: float
    low: float
    high: float


def measure(
    index: VectorIndex,
    name: str,
    metric: Metric,
    *,
    queries: int = 1000,
    k: int = 10,
    seed: int = 0,
    see: Callable[[Sequence[str]], None] = lambda _: None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Recall | None:
    """Of stored vectors, chosen at random, as queries, each of which is not counted as its own
    neighbour. None where there are fewer than two rows.

    All rows are read twice; nobody may change them meanwhile. see: told all ids, a page at a time.
    progress: told rows read, and how many there are to read.
    """
    total = index.count(name)
    chosen = np.random.default_rng(seed).permutation(total)[:queries]
    own: list[str] = []
    vectors: list[Floats] = []
    for start, page in _pages(index, name):
        see(page.ids)
        for at in np.sort(chosen[(chosen >= start) & (chosen < start + len(page.ids))]) - start:
            own.append(page.ids[at])
            vectors.append(page.vectors[at])
        progress(start + len(page.ids), 2 * total)
    if total < 2:
        return None
    k = min(k, total - 1)
    asked = np.stack(vectors)  # [m, d]
    truth = Truth(asked, own, metric, k, _found(index, name, asked, own, k))
    for start, page in _pages(index, name):
        truth.see(page)
        progress(total + start + len(page.ids), 2 * total)
    return _recall(truth.shares(), total, k)


def _pages(index: VectorIndex, name: str) -> Iterator[tuple[int, Rows]]:
    """(number of its first row, page)"""
    start, after = 0, None
    while (page := index.read(name, after, PAGE)).ids:
        yield start, page
        start, after = start + len(page.ids), page.ids[-1]


def _found(
    index: VectorIndex, name: str, asked: Floats, own: Sequence[str], k: int
) -> list[list[str]]:
    """Of each query the ids that the index gives, without its own."""
    found: list[list[str]] = []
    for at in range(0, len(asked), _AT_ONCE):
        found += index.search(name, asked[at : at + _AT_ONCE], k + 1).ids
    return [[id for id in ids if id != one][:k] for ids, one in zip(found, own, strict=True)]


class Truth:
    """The distances of the k nearest rows so far, and those of the rows that were found."""

    def __init__(
        self, asked: Floats, own: Sequence[str], metric: Metric, k: int, found: list[list[str]]
    ) -> None:
        self._asked = _ready(asked, metric)
        self._metric: Metric = metric
        self._own = {id: query for query, id in enumerate(own)}
        self._nearest = np.full((len(asked), k), np.inf, np.float32)  # [m, k]
        self._found = np.full((len(asked), k), np.inf, np.float32)  # [m, k]
        self._places: dict[str, list[tuple[int, int]]] = {}
        for query, ids in enumerate(found):
            for number, id in enumerate(dict.fromkeys(ids)):
                self._places.setdefault(id, []).append((query, number))

    def see(self, page: Rows) -> None:
        distances = self._distances(_ready(page.vectors, self._metric))  # [m, n]
        for at, id in enumerate(page.ids):
            for query, number in self._places.get(id, ()):
                self._found[query, number] = distances[query, at]
            if id in self._own:
                distances[self._own[id], at] = np.inf
        k = self._nearest.shape[1]
        both = np.concatenate([self._nearest, distances], axis=1)
        self._nearest = np.partition(both, k - 1, axis=1)[:, :k]

    def _distances(self, rows: Floats) -> Floats:
        """[n, d] -> [m, n]"""
        products = self._asked @ rows.T
        if self._metric != "euclidean":
            return -products
        squares = np.square(self._asked).sum(axis=1)[:, None] + np.square(rows).sum(axis=1)
        return np.sqrt(np.maximum(squares - 2 * products, 0))

    def shares(self) -> NDArray[np.float64]:
        """[m]"""
        border = self._nearest.max(axis=1)
        near = self._found <= (border + _ALIKE * (1 + np.abs(border)))[:, None]
        return near.mean(axis=1)


def _ready(vectors: Floats, metric: Metric) -> Floats:
    """Of length 1 where only the direction counts."""
    if metric != "cosine":
        return vectors
    lengths = np.sqrt(np.square(vectors.astype(np.float64)).sum(axis=1))
    return (vectors / lengths[:, None]).astype(np.float32)


def _recall(shares: NDArray[np.float64], rows: int, k: int) -> Recall:
    n, p = len(shares), float(shares.mean())
    middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * ((p * (1 - p) / n + _Z**2 / (4 * n**2)) ** 0.5)
    return Recall(rows, n, k, p, max(0.0, middle - half), min(1.0, middle + half))
