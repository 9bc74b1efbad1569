"""Rows as int8, a quarter of the bytes, and scans of them that are exact all the same.

A row v is kept as small whole numbers times one `scale`: v', with |v - v'| known. By Cauchy and
Schwarz (cosine, dot) or the triangle inequality (euclidean), no row is nearer than its int8 form
shows by more than a `slack` known beforehand. So a scan takes the best by int8, these are compared
in float64, and if the last one of them, slack added, is behind the k-th, no other row can be among
the k nearest: that is proof, query by query. It fails rarely (of 100,000 sentences embedded by
all-MiniLM-L6-v2 the ten nearest need 17 candidates, at most 43), and then more are taken.

faiss (the extra ``faiss``) multiplies int8 by int8: 2.2 ms for 100,000 rows of 384 dimensions.
numpy has no such product, but widening blocks that fit the processor's cache and multiplying those
takes half of what the float32 matrix takes, which has to come from memory: 7 ms against 15.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tunewright.vectors.index import Floats, Metric

Codes = NDArray[np.int8]
Places = NDArray[np.int64]

MOST = 127
_ALIGNED = 64  # components: multiples of what one instruction reads
_BLOCK = 1024  # rows widened at once by numpy
_ROUNDED = 2e-5  # of the sizes: what float32 loses on the way
_WHOLE = 2.0**24  # sums of whole numbers below it are exact in float32


@dataclass(frozen=True)
class Scale:
    """How rows become int8. `centre` [d] is taken away first (euclidean). unit: rows are made unit
    vectors first (cosine)."""

    metric: Metric
    step: float
    centre: Floats | None = None

    @property
    def unit(self) -> bool:
        return self.metric == "cosine"

    def prepared(self, vectors: Floats) -> Floats:
        """[n, d] -> [n, d], of which the products or distances are those of the metric."""
        if self.unit:
            lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
            return (vectors / np.maximum(lengths, 1e-300)[:, None]).astype(np.float32)
        return vectors if self.centre is None else vectors - self.centre

    def codes(self, prepared: Floats) -> Codes:
        """[n, d] -> [n, D]: D is d rounded up, with zeros."""
        n, d = prepared.shape
        codes = np.zeros((n, width(d)), np.int8)
        codes[:, :d] = np.clip(np.rint(prepared / np.float32(self.step)), -MOST, MOST)
        return codes

    def lost(self, prepared: Floats, codes: Codes) -> Floats:
        """[n]: the length of what is missing in each row's int8 form."""
        form = codes[:, : prepared.shape[1]].astype(np.float32) * np.float32(self.step)
        return np.sqrt(np.square(prepared - form).sum(axis=1))


def width(dimensions: int) -> int:
    return -(-dimensions // _ALIGNED) * _ALIGNED


@dataclass(frozen=True)
class Found:
    """Of one query: rows, nearest by int8 first; how near they are, in the metric's own measure
    (more is nearer: similarity, product, negative distance); how far from the truth that can be."""

    rows: Places
    near: Floats
    slack: float


class Scanned(Protocol):
    """n int8 rows that can be scanned."""

    def best(self, queries: Floats, count: int) -> tuple[NDArray[Any], Floats]:
        """Of queries [m, D], whole numbers, the best `count` rows, best first [m, count] (-1: no
        more), and their product with the query, or their negative squared distance [m, count]."""
        ...

    def some(self, rows: Places) -> "Scanned":
        """A copy of some rows, which are counted from 0 in it."""
        ...


@dataclass(frozen=True)
class Asked:
    """Queries as they are multiplied, and as whole numbers times a step each."""

    prepared: NDArray[np.float64]  # [m, d]
    whole: Floats  # [m, D]
    steps: NDArray[np.float64]  # [m]

    def one(self, number: int) -> "Asked":
        at = slice(number, number + 1)
        return Asked(self.prepared[at], self.whole[at], self.steps[at])

    def sizes(self, number: int) -> tuple[float, float]:
        """The length of a query, and that of what its int8 form lacks."""
        own = self.prepared[number]
        rest = own - self.whole[number, : len(own)] * self.steps[number]
        return float(np.dot(own, own)) ** 0.5, float(np.dot(rest, rest)) ** 0.5


def asked(scale: Scale, queries: Floats) -> Asked:
    """Of queries [m, d]. A product may have a step of the query's own, a distance has that of the
    rows."""
    prepared = queries.astype(np.float64)
    if scale.unit:
        prepared /= np.sqrt(np.multiply(prepared, prepared).sum(axis=1))[:, None]
    elif scale.centre is not None:
        prepared -= scale.centre
    m, d = prepared.shape
    steps = np.full(m, scale.step)
    if scale.metric != "euclidean":
        steps = np.maximum(np.abs(prepared).max(axis=1), 1e-30) / MOST
    whole = np.zeros((m, width(d)), np.float32)
    rounded = np.rint(prepared / steps[:, None])
    whole[:, :d] = np.clip(rounded, -MOST, MOST) if scale.metric == "euclidean" else rounded
    return Asked(prepared, whole, steps)


def found(
    scanned: Scanned, scale: Scale, lost: float, longest: float, asked: Asked, count: int
) -> Iterator[Found]:
    """The best `count` rows for each query.

    lost: of no row is more missing than that; longest: of no row is the int8 form longer.
    """
    rows, near = scanned.best(asked.whole, count)
    for number, (some, values) in enumerate(zip(rows, near, strict=True)):
        there = some >= 0
        length, missing = asked.sizes(number)
        if scale.metric == "euclidean":
            values = -np.sqrt(np.maximum(-values, 0)) * np.float32(scale.step)
            slack = missing + lost + _ROUNDED * (length + longest)
            if (most := ((length + longest) / scale.step) ** 2) >= _WHOLE:
                slack += scale.step * float(np.sqrt(4 * most / _WHOLE))
        else:
            values = values * np.float32(scale.step * asked.steps[number])
            slack = missing * longest + length * lost + _ROUNDED * length * longest
        yield Found(some[there], values[there], slack)


class Widened:
    """By numpy. codes: [n, D]."""

    def __init__(self, codes: Codes, metric: Metric) -> None:
        self._codes = codes
        self._metric: Metric = metric
        self._squares = _squares(codes) if metric == "euclidean" else None

    def best(self, queries: Floats, count: int) -> tuple[NDArray[Any], Floats]:
        near = self._products(queries)  # [m, n]
        if self._squares is not None:
            near = 2 * near - self._squares - np.square(queries).sum(axis=1)[:, None]
        count = min(count, near.shape[1])
        rows = np.argpartition(near, near.shape[1] - count, axis=1)[:, -count:]
        near = np.take_along_axis(near, rows, axis=1)
        order = np.argsort(-near, axis=1)
        return np.take_along_axis(rows, order, axis=1), np.take_along_axis(near, order, axis=1)

    def _products(self, queries: Floats) -> Floats:
        """[m, D] -> [m, n]."""
        products = np.empty((len(queries), len(self._codes)), np.float32)
        wide = np.empty((_BLOCK, self._codes.shape[1]), np.float32)
        for start in range(0, len(self._codes), _BLOCK):
            some = self._codes[start : start + _BLOCK]
            block = wide[: len(some)]
            np.copyto(block, some)
            products[:, start : start + len(some)] = queries @ block.T
        return products

    def some(self, rows: Places) -> "Widened":
        return Widened(self._codes[rows], self._metric)


def _squares(codes: Codes) -> Floats:
    squares = np.empty(len(codes), np.float32)
    for start in range(0, len(codes), _BLOCK):
        wide = codes[start : start + _BLOCK].astype(np.float32)
        squares[start : start + _BLOCK] = np.square(wide).sum(axis=1)
    return squares
