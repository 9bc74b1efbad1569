"""Rows written, replaced, deleted, searched and read."""

from typing import Any

import numpy as np
import pytest

from tunewright.errors import BadRequest, NotFound
from tunewright.testing.vectors.both import METRICS, Both, grid, names
from tunewright.vectors.filters import parse
from tunewright.vectors.index import MOST_ID, Described, Metric, Rows, VectorIndex


@pytest.mark.parametrize("metric", METRICS)
def test_the_nearest_and_those_of_equal_distance_by_id(index: VectorIndex, metric: Metric) -> None:
    both = Both(index, metric)
    both.upsert(names(150), grid(150))
    both.agree(grid(20, seed=1), k=25)
    both.agree(grid(2, seed=2), k=1)
    both.agree(grid(1, seed=3), k=1000)  # more than there are
    both.agree_on_all()
    index.drop(both.name)


@pytest.mark.parametrize("metric", METRICS)
def test_equal_rows_are_in_the_order_of_their_ids(index: VectorIndex, metric: Metric) -> None:
    both = Both(index, metric, dimensions=7)
    row = np.random.default_rng(1).normal(size=7).astype(np.float32)
    ids = [f"{number:03}" for number in np.random.default_rng(2).permutation(200)]
    both.upsert(ids, [row.tolist()] * 200)
    hits = index.search(both.name, np.stack([row, 3 * row, row + 1]), 50)
    assert hits.ids == [sorted(ids)[:50]] * 3
    assert all(len(set(row)) == 1 for row in hits.distances.tolist())
    index.drop(both.name)


def test_on_vectors_of_length_one_the_metrics_agree(index: VectorIndex) -> None:
    vectors = np.random.default_rng(5).normal(size=(80, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found: dict[str, list[list[str]]] = {}
    for metric in METRICS:
        both = Both(index, metric, dimensions=16)
        index.upsert(both.name, names(80), vectors, [{}] * 80)
        hits = index.search(both.name, vectors[:10], 10)
        assert [ids[0] for ids in hits.ids] == names(10)
        if metric != "dot":
            assert (hits.scores >= 0).all()
            assert (hits.scores <= 1).all()
        found[metric] = hits.ids
        index.drop(both.name)
    assert found["cosine"] == found["dot"] == found["euclidean"]


def test_a_collection_is_made_once_and_dropped(index: VectorIndex) -> None:
    both = Both(index)
    both.upsert(["a"], [[1, 0, 0, 0]])
    index.create(both.name, 4)
    assert index.count(both.name) == 1, "it was there: nothing happens"
    others: list[tuple[int, Metric]] = [(5, "cosine"), (4, "dot")]
    for dimensions, metric in others:
        with pytest.raises(BadRequest):
            index.create(both.name, dimensions, metric)
    index.drop(both.name)
    index.drop(both.name)
    query = np.ones((1, 4), np.float32)
    for call in (
        lambda: index.search(both.name, query, 1),
        lambda: index.count(both.name),
        lambda: index.read(both.name),
        lambda: index.fetch(both.name, ["a"]),
        lambda: index.delete(both.name, ids=["a"]),
        lambda: index.upsert(both.name, ["a"], query, [{}]),
    ):
        with pytest.raises(NotFound):
            call()
    index.create(both.name, 3, "dot")
    assert index.count(both.name) == 0, "nothing of the old one"
    index.drop(both.name)


@pytest.mark.parametrize(
    "name", ["contract_Named", "contract-by-a-name", "_" * 9 + "contract", "contract-" + "x" * 110]
)
def test_what_collections_there_are(index: VectorIndex, name: str) -> None:
    before = index.collections()
    assert name not in before
    index.create(name, 3, "dot")
    assert index.describe(name) == Described(3, "dot")
    assert index.collections() == sorted([*before, name])
    index.drop(name)
    assert index.collections() == before
    with pytest.raises(NotFound):
        index.describe(name)


def test_what_a_place_cannot_hold_is_told_before(both: Both) -> None:
    rows = Rows(["a"], np.ones((1, 4), np.float32), [{"k": 1}])
    assert both.index.refusal(4, both.metric) is None
    assert both.index.refusal(4, both.metric, rows) is None
    too_many = 1_000_000
    if told := both.index.refusal(too_many, both.metric):
        assert f"{too_many:,}" in told
        with pytest.raises(BadRequest):
            both.index.create(f"{both.name}-wide", too_many, both.metric)


def test_an_empty_collection(both: Both) -> None:
    both.agree(grid(3))
    both.agree(grid(1), where={"type": "ne", "key": "k", "value": 1})
    both.delete(where={"type": "ne", "key": "k", "value": 1})
    both.upsert([], [[]] * 0 or np.empty((0, 4)))
    both.agree_on_all()
    hits = both.index.search(both.name, np.empty((0, 4), np.float32), 3)
    assert hits.ids == []


def test_a_row_is_replaced_as_a_whole(both: Both) -> None:
    both.upsert(names(20), grid(20), [{"k": n, "old": True} for n in range(20)])
    both.upsert(names(10), grid(10, seed=9), [{"k": -n} for n in range(10)])
    both.agree(grid(5), k=30)
    both.agree(grid(1), k=30, where={"type": "eq", "key": "old", "value": True})
    both.upsert(["twice", "twice"], grid(2, seed=4), [{"k": 1}, {"k": 2}])
    both.agree_on_all()


def test_attributes_alone_are_replaced(both: Both) -> None:
    both.upsert(names(20), grid(20), [{"k": n} for n in range(20)])
    both.upsert(names(5), None, [{"new": "x"}] * 5)
    both.agree_on_all()
    both.agree(grid(3), k=30, where={"type": "eq", "key": "new", "value": "x"})
    with pytest.raises(NotFound):
        both.index.upsert(both.name, ["id-1", "nobody"], None, [{"lost": 1}] * 2)
    both.agree_on_all()


def test_rows_by_their_ids(both: Both) -> None:
    both.upsert(names(20), grid(20), [{"k": n, "b": True} for n in range(20)])
    found = both.index.fetch(both.name, ["id-7", "nobody", "id-11", "id-7"])
    assert found.ids == ["id-11", "id-7"]
    for id, vector, attributes in zip(found.ids, found.vectors, found.attributes, strict=True):
        expected = both.reference.rows[id]
        assert vector.tolist() == np.array(expected[0], np.float32).tolist()
        assert attributes == expected[1]
    nothing = both.index.fetch(both.name, [])
    assert (nothing.ids, nothing.vectors.shape, nothing.attributes) == ([], (0, 4), [])
    with pytest.raises(BadRequest):
        both.index.fetch(both.name, [""])


ODD = [
    *("é", "a b", "#", "x" * MOST_ID, "0", "\U0001f600", 'q"\\', "\0", "a\0b", "\1", "~~", "*"),
    *("{a}", "`", "'", "or 1==1", "\n", "a,b", "\ufeff", "ä" * 200),
]


def test_an_id_is_any_text(both: Both) -> None:
    both.upsert(ODD, grid(len(ODD)), [{"k": n % 3} for n in range(len(ODD))])
    both.upsert(ODD[::2], grid(len(ODD[::2]), seed=3), [{"k": 4} for _ in ODD[::2]])
    both.agree_on_all()
    both.agree(grid(2), k=30)
    both.agree(grid(2), k=30, where={"type": "eq", "key": "k", "value": 4})
    assert both.index.fetch(both.name, ODD).ids == sorted(ODD)
    both.delete(ids=ODD[:10])
    both.agree_on_all()


def test_deleted_by_id_and_by_filter(both: Both) -> None:
    both.upsert(names(40), grid(40), [{"k": n % 4} for n in range(40)])
    both.delete(ids=["id-3", "nobody", "id-7", "id-3"])
    both.agree(grid(4), k=50)
    both.delete(where={"type": "in", "key": "k", "value": [1, 2]})
    both.agree(grid(4), k=50)
    both.delete(where={"type": "in", "key": "k", "value": []})
    both.delete(ids=[])
    both.agree_on_all()
    both.upsert(["id-3"], [[1, 1, 1, 1]], [{"back": True}])
    both.agree(grid(4), k=50)
    where = parse({"type": "eq", "key": "k", "value": 0})
    wrongs: list[dict[str, Any]] = [{}, {"ids": ["id-0"], "where": where}]
    for wrong in wrongs:
        with pytest.raises(BadRequest):
            both.index.delete(both.name, **wrong)
    both.agree_on_all()


def test_ids_of_any_text(both: Both) -> None:
    ids = [
        "é",
        "e\u0301",
        "東京",
        "🧵",
        " ",
        "a b",
        "a/b",
        "../x",
        "%",
        "'",
        '"',
        "\\",
        "\n",
        "\x7f",
        "x" * MOST_ID,
    ]
    both.upsert(ids, grid(len(ids)))
    both.agree(grid(2), k=50)
    both.agree_on_all()
    both.delete(ids=ids[::2])
    both.agree_on_all()


def test_k_below_one(both: Both) -> None:
    for k in (0, -1):
        with pytest.raises(BadRequest):
            both.index.search(both.name, np.ones((1, 4), np.float32), k)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_any_type_of_floats(both: Both, dtype: Any) -> None:
    rows: Any = np.eye(4, dtype=dtype)
    both.index.upsert(both.name, ["a", "b"], rows[:2], [{}] * 2)
    hits = both.index.search(both.name, rows[1:2], 2)
    assert hits.ids == [["b", "a"]]
