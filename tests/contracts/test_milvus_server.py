"""The connector of Milvus on a real server, an old one: 2.3.5, of January 2024, which the package
milvus has. The whole suite takes it too long: 22 of its cases, 500 seconds."""

from collections.abc import Iterator

import numpy as np
import pytest
from vector_databases import milvus_server

from tunewright.testing.vectors.both import KEYS, VALUES, Both, grid, names
from tunewright.testing.vectors.trees import distinct_trees
from tunewright.vectors import open_index
from tunewright.vectors.index import VectorIndex

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FILTERS = 60


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorIndex]:
    with milvus_server(tmp_path_factory.mktemp("milvus") / "data") as place:
        opened = open_index(place)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def rows(index: VectorIndex) -> Both:
    both, chance = Both(index), np.random.default_rng(3)
    attributes = [
        {key: VALUES[chance.integers(len(VALUES))] for key in KEYS[:3] if chance.random() < 0.7}
        for _ in range(120)
    ]
    both.upsert(names(120), grid(120), attributes)
    return both


def test_random_filters_mean_the_same(rows: Both) -> None:
    queries = grid(10, seed=8)
    for number, where in enumerate(distinct_trees(FILTERS, tuple(KEYS[:3]))):
        rows.agree([queries[number % 10]], k=(1, 15, 200)[number % 3], where=where)


def test_rows_are_replaced_deleted_and_read(rows: Both) -> None:
    rows.agree_on_all()
    rows.upsert(names(3), grid(3, seed=1), [{"k": "other"}, {}, {"k": True}])
    rows.delete(where={"type": "eq", "key": "k", "value": "other"})
    rows.delete(ids=names(120)[100:])
    rows.agree_on_all()
    rows.agree(grid(2), k=5)
