"""Recall as it is measured, of indexes that miss what we make them miss."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tunewright.vectors import open_index
from tunewright.vectors.index import Floats, Hits, Metric, VectorIndex
from tunewright.vectors.recall import measure

ROWS, DIMENSIONS = 700, 8


class Missing:
    """An index that does not find every `step`-th row."""

    def __init__(self, index: VectorIndex, step: int) -> None:
        self._index, self._step = index, step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def search(self, name: str, queries: Floats, k: int) -> Hits:
        hits = self._index.search(name, queries, min(ROWS, 3 * k))
        found = [[id for id in ids if int(id) % self._step][:k] for ids in hits.ids]
        return Hits(found, hits.scores, hits.distances)


@pytest.fixture(params=["cosine", "dot", "euclidean"])
def metric(request: pytest.FixtureRequest) -> Metric:
    return request.param


@pytest.fixture
def index(tmp_path: Path, metric: Metric) -> Iterator[VectorIndex]:
    index = open_index(tmp_path)
    vectors = np.random.default_rng(1).normal(size=(ROWS, DIMENSIONS)).astype(np.float32)
    vectors[100:103] = vectors[100]  # equal rows: either is one of the nearest
    index.create("rows", DIMENSIONS, metric)
    index.upsert("rows", [f"{n:06}" for n in range(ROWS)], vectors, [{}] * ROWS)
    yield index
    index.close()


def test_an_exact_index_finds_all(index: VectorIndex, metric: Metric) -> None:
    ids: list[str] = []
    steps: list[tuple[int, int]] = []

    def see(page: Sequence[str]) -> None:
        ids.extend(page)

    found = measure(
        index, "rows", metric, queries=300, see=see, progress=lambda *step: steps.append(step)
    )
    assert found is not None
    assert (found.rows, found.queries, found.k, found.value) == (ROWS, 300, 10, 1.0)
    assert found.low == pytest.approx(0.98736, abs=1e-5)  # Wilson: 1 / (1 + 1.96**2 / 300)
    assert found.high == 1.0
    assert ids == [f"{n:06}" for n in range(ROWS)]
    assert steps[-1] == (2 * ROWS, 2 * ROWS)


def test_what_is_missed_is_counted(index: VectorIndex, metric: Metric) -> None:
    found = measure(Missing(index, 7), "rows", metric, queries=ROWS)
    assert found is not None
    assert found.value == pytest.approx(6 / 7, abs=0.03)
    assert found.low < found.value < found.high
    width = 2 * 1.96 * (found.value * (1 - found.value) / ROWS) ** 0.5
    assert found.high - found.low == pytest.approx(width, abs=0.001)


def test_of_few_rows_there_are_fewer_neighbours(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.create("few", 2, "cosine")
    assert measure(index, "few", "cosine") is None
    index.upsert("few", ["a", "b", "c"], np.eye(3, 2, dtype=np.float32) + 1, [{}] * 3)
    found = measure(index, "few", "cosine")
    assert found is not None
    assert (found.queries, found.k, found.value) == (3, 2, 1.0)
    index.close()
