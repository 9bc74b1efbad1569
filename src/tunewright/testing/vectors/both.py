"""A collection of an index beside one of the reference, and what both are given."""

import itertools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import HealthCheck

from tunewright.testing.vectors.reference import TIE, Reference, score
from tunewright.vectors.filters import parse
from tunewright.vectors.index import Metric, VectorIndex

METRICS: tuple[Metric, ...] = ("cosine", "dot", "euclidean")
NAMES = (f"contract_{number}_{os.getpid()}" for number in itertools.count())
# What databases disagree about, and what a query language might take for its own.
VALUES: list[Any] = [
    *(
        1,
        1.0,
        0,
        -0.0,
        -2.5,
        2**53,
        1e300,
        True,
        False,
        "1",
        "1.0",
        "true",
        "True",
        "null",
        "",
        " ",
    ),
    *("b", "B", "é", "e\u0301", "東京", "🧵", "a'b", 'a"b', "a\\b", "a`b", "a\nb", "*", "%", "a_b"),
    *("' or 1==1 --", "{a}", "[a]", "@a:{b}", "a|b", "$a", "x" * 512),
]
KEYS = [
    "k",
    "key with spaces",
    "ключ",
    "k'k",
    'k"k',
    "k.k",
    "$k",
    "k[0]",
    "-",
    "🧵",
    "and",
    "x" * 64,
]

QUIET: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "database": None,
}


class Both:
    """A collection of the index and of the reference, which get the same."""

    def __init__(self, index: VectorIndex, metric: Metric = "cosine", dimensions: int = 4) -> None:
        self.index, self.name = index, next(NAMES)
        self.metric: Metric = metric
        self.reference = Reference(metric)
        index.create(self.name, dimensions, metric)

    def upsert(self, ids: Sequence[str], vectors: Any, attributes: Any = None) -> None:
        given = [{}] * len(ids) if attributes is None else attributes
        floats = None if vectors is None else np.array(vectors, np.float32)
        self.index.upsert(self.name, ids, floats, given)
        self.reference.upsert(ids, vectors, given)

    def delete(self, ids: Sequence[str] | None = None, where: Any = None) -> None:
        self.index.delete(self.name, ids=ids, where=where and parse(where))
        self.reference.delete(ids, where)

    def agree(self, queries: Any, k: int = 10, where: Any = None) -> None:
        """On what is nearest, how near it is, and how much there is."""
        tree = None if where is None else parse(where)
        hits = self.index.search(self.name, np.array(queries, np.float32), k, tree)
        matching = self.reference.matching(where)
        assert len(hits.ids) == len(queries)
        for number, query in enumerate(queries):
            expected = self.reference.nearest(query, k, matching)
            assert hits.ids[number] == [id for id, _ in expected], where
            away = [distance for _, distance in expected]
            np.testing.assert_allclose(hits.distances[number], away, atol=TIE, rtol=1e-5)
            scores = [score(self.metric, distance) for distance in away]
            np.testing.assert_allclose(hits.scores[number], scores, atol=TIE, rtol=1e-5)
        for shown in (hits.scores, hits.distances):
            assert shown.dtype == np.float32
            assert shown.shape == (len(queries), len(hits.ids[0]))
        assert (np.diff(hits.distances, axis=1) >= 0).all()
        assert (np.diff(hits.scores, axis=1) <= 0).all()
        assert self.index.count(self.name, tree) == len(matching)

    def agree_on_all(self) -> None:
        """On every stored row: read in pages."""
        ids: list[str] = []
        while True:
            page = self.index.read(self.name, ids[-1] if ids else None, limit=7)
            for number, id in enumerate(page.ids):
                vector, attributes = self.reference.rows[id]
                assert page.vectors[number].tolist() == np.array(vector, np.float32).tolist()
                assert page.attributes[number] == attributes
                for key, value in page.attributes[number].items():
                    assert isinstance(value, bool) == isinstance(attributes[key], bool)
            ids += page.ids
            if len(page.ids) < 7:
                break
        assert ids == sorted(self.reference.rows)


def grid(rows: int, seed: int = 0, dimensions: int = 4) -> list[list[float]]:
    """Of small whole numbers: many are equally far from a query, and the others clearly not."""
    numbers = np.random.default_rng(seed).integers(-2, 3, (rows, dimensions))
    numbers[~numbers.any(axis=1), 0] = 1
    return numbers.astype(float).tolist()


def names(count: int) -> list[str]:
    return [f"id-{number}" for number in range(count)]
