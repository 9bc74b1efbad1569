"""The contract of `VectorIndex`, the same for every implementation: compared with a reference in
plain Python (`vector_reference`), which knows nothing of an index.

One more implementation is one more place in PLACES. `TRY_INDEX=PLACE` tries the one that is there,
of an index that somebody is writing.
"""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vector_reference import TIE, Reference, score

from tunewright.errors import BadRequest, NotFound, Unavailable
from tunewright.vectors import open_index
from tunewright.vectors.filters import parse
from tunewright.vectors.index import MOST_ID, Metric, VectorIndex
from tunewright.vectors.local import keeping, rows

Place = Callable[[Path], str]
IN_PARTS = "local, of many parts"
PLACES: dict[str, Place] = {
    "local": lambda folder: f"local:{folder / 'vectors'}",
    IN_PARTS: lambda folder: f"local:{folder / 'vectors'}",
}
if tried := os.environ.get("TRY_INDEX"):
    PLACES = {tried: lambda _: tried}

METRICS: tuple[Metric, ...] = ("cosine", "dot", "euclidean")
NAMES = (f"contract_{number}_{os.getpid()}" for number in itertools.count())
# What databases disagree about, and what a query language might take for its own.
VALUES: list[Any] = [
    *(1, 1.0, 0, -2.5, 2**53, 1e300, True, False, "1", "1.0", "true", "True", "null", "", " "),
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


@pytest.fixture(
    scope="module",
    # In many parts it has more to get wrong: the same in one is among the slow.
    params=[
        pytest.param(name, marks=pytest.mark.slow if name == "local" else ()) for name in PLACES
    ],
)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == IN_PARTS:  # as large collections are, whose parts lie in files
            patch.setattr(rows, "PART", 16)
            patch.setattr(keeping, "SOON", 0.0)
        yield PLACES[request.param](tmp_path_factory.mktemp("index"))


@pytest.fixture(scope="module")
def index(place: str) -> Iterator[VectorIndex]:
    opened = open_index(place)
    yield opened
    opened.close()


class Both:
    """A collection of the index and of the reference, which get the same."""

    def __init__(self, index: VectorIndex, metric: Metric = "cosine", dimensions: int = 4) -> None:
        self.index, self.name, self.metric = index, next(NAMES), metric
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
        assert len(hits.ids) == len(queries)
        for number, query in enumerate(queries):
            expected = self.reference.search(query, k, where)
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
        assert self.index.count(self.name, tree) == len(self.reference.matching(where))

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


@pytest.fixture
def both(index: VectorIndex) -> Iterator[Both]:
    made = Both(index)
    yield made
    index.drop(made.name)


def grid(rows: int, seed: int = 0, dimensions: int = 4) -> list[list[float]]:
    """Of small whole numbers: many are equally far from a query, and the others clearly not."""
    numbers = np.random.default_rng(seed).integers(-2, 3, (rows, dimensions))
    numbers[~numbers.any(axis=1), 0] = 1
    return numbers.astype(float).tolist()


def names(count: int) -> list[str]:
    return [f"id-{number}" for number in range(count)]


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
    for dimensions, metric in ((5, "cosine"), (4, "dot")):
        with pytest.raises(BadRequest):
            index.create(both.name, dimensions, metric)
    index.drop(both.name)
    index.drop(both.name)
    query = np.ones((1, 4), np.float32)
    for call in (
        lambda: index.search(both.name, query, 1),
        lambda: index.count(both.name),
        lambda: index.read(both.name),
        lambda: index.delete(both.name, ids=["a"]),
        lambda: index.upsert(both.name, ["a"], query, [{}]),
    ):
        with pytest.raises(NotFound):
            call()
    index.create(both.name, 3, "dot")
    assert index.count(both.name) == 0, "nothing of the old one"
    index.drop(both.name)


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
    for wrong in ({}, {"ids": ["id-0"], "where": parse({"type": "eq", "key": "k", "value": 0})}):
        with pytest.raises(BadRequest):
            both.index.delete(both.name, **wrong)
    both.agree_on_all()


OPERATORS = ["eq", "ne", "gt", "gte", "lt", "lte"]


@pytest.fixture(scope="module")
def every_value(index: VectorIndex) -> Iterator[Both]:
    """A row for each value, one for each key, one without any attribute."""
    both = Both(index)
    attributes = [{"k": value} for value in VALUES] + [{key: 1} for key in KEYS] + [{}]
    both.upsert(names(len(attributes)), grid(len(attributes)), attributes)
    yield both
    index.drop(both.name)


@pytest.mark.parametrize("op", OPERATORS)
def test_each_operator_with_each_value(every_value: Both, op: str) -> None:
    for value in VALUES:
        every_value.agree(grid(1), k=200, where={"type": op, "key": "k", "value": value})


@pytest.mark.parametrize("op", ["in", "nin"])
def test_membership(every_value: Both, op: str) -> None:
    lists = [[], [1], [True], ["1", 1], VALUES, VALUES[::2], list(range(1000))]
    for values in lists:
        every_value.agree(grid(1), k=200, where={"type": op, "key": "k", "value": values})


@pytest.mark.parametrize("op", [*OPERATORS, "in"])
def test_each_key(every_value: Both, op: str) -> None:
    for key in [*KEYS, "nowhere"]:
        value = [1] if op == "in" else 1
        every_value.agree(grid(1), k=200, where={"type": op, "key": key, "value": value})


def test_attributes_come_back_as_they_were(every_value: Both) -> None:
    every_value.agree_on_all()


values = st.sampled_from(VALUES)
comparisons = st.one_of(
    st.builds(
        lambda op, key, value: {"type": op, "key": key, "value": value},
        st.sampled_from(OPERATORS),
        st.sampled_from(KEYS[:3]),
        values,
    ),
    st.builds(
        lambda op, key, value: {"type": op, "key": key, "value": value},
        st.sampled_from(["in", "nin"]),
        st.sampled_from(KEYS[:3]),
        st.lists(values, max_size=5),
    ),
)
trees = st.recursive(
    comparisons,
    lambda parts: st.builds(
        lambda op, filters: {"type": op, "filters": filters},
        st.sampled_from(["and", "or"]),
        st.lists(parts, max_size=4),
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def many(index: VectorIndex) -> Iterator[Both]:
    """120 rows, in which every pair of values of two keys may meet."""
    both, chance = Both(index), np.random.default_rng(3)
    attributes = [
        {key: VALUES[chance.integers(len(VALUES))] for key in KEYS[:3] if chance.random() < 0.7}
        for _ in range(120)
    ]
    both.upsert(names(120), grid(120), attributes)
    yield both
    index.drop(both.name)


QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}


@pytest.mark.parametrize(
    "_times", [300, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(3000)])]
)
def test_random_filters(many: Both, _times: int) -> None:
    @settings(max_examples=_times, **QUIET)
    @given(where=trees, query=st.integers(0, 9))
    def agree(where: Any, query: int) -> None:
        many.agree([grid(10, seed=8)[query]], k=15, where=where)

    agree()


ids_of = st.lists(st.sampled_from(names(12)), max_size=6)
steps = st.one_of(
    st.tuples(st.just("upsert"), ids_of, st.integers(0, 99)),
    st.tuples(st.just("attributes"), ids_of, st.integers(0, 99)),
    st.tuples(st.just("delete"), ids_of, st.just(0)),
    st.tuples(st.just("delete where"), st.just([]), st.integers(0, 3)),
    st.tuples(st.just("reopen"), st.just([]), st.just(0)),
)


@pytest.mark.parametrize(
    "_times", [20, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(3000)])]
)
def test_random_histories(place: str, _times: int) -> None:
    """Whatever was done in whatever order, and reopened between: the same as the reference."""

    @settings(max_examples=_times, **QUIET)
    @given(st.lists(steps, max_size=12))
    def agree(history: list[tuple[str, list[str], int]]) -> None:
        both = Both(open_index(place))
        for step, ids, number in history:
            attributes = [{"k": (number + at) % 4} for at in range(len(ids))]
            if step == "upsert":
                both.upsert(ids, grid(len(ids), seed=number) or np.empty((0, 4)), attributes)
            elif step == "attributes":
                there = [id for id in ids if id in both.reference.rows]
                both.upsert(there, None, attributes[: len(there)])
            elif step == "reopen":
                both.index.close()
                both.index = open_index(place)
            elif step == "delete":
                both.delete(ids=ids)
            else:
                both.delete(where={"type": "eq", "key": "k", "value": number})
            both.agree(grid(1, seed=number), k=5)
        both.agree_on_all()
        both.index.drop(both.name)
        both.index.close()

    agree()


@pytest.mark.parametrize(
    "wrong",
    [
        [[1, 2, 3]],
        [[1, 2, 3, 4, 5]],
        [1, 2, 3, 4],
        [[float("nan"), 0, 0, 0]],
        [[float("inf"), 0, 0, 0]],
        [[0, 0, 0, 0]],
        [[1e39, 0, 0, 0]],
    ],
)
def test_vectors_that_are_refused(both: Both, wrong: Any) -> None:
    both.upsert(["a"], [[1, 0, 0, 0]], [{"k": 1}])
    with np.errstate(over="ignore"):
        vectors = np.array(wrong).astype(np.float32)
    with pytest.raises(BadRequest):
        both.index.upsert(both.name, ["a"], vectors, [{"k": 2}])
    with pytest.raises(BadRequest):
        both.index.search(both.name, vectors, 1)
    if vectors.ndim == 2 and vectors.shape[1] == 4:
        with pytest.raises(BadRequest):  # the first row of the batch is good
            both.index.upsert(
                both.name,
                ["b", "a"],
                np.concatenate([np.ones((1, 4), np.float32), vectors]),
                [{}] * 2,
            )
    both.agree_on_all()


@pytest.mark.parametrize("id", ["", "x" * 10_000, "x" * (MOST_ID + 1), "é" * MOST_ID, "\ud800", 7])
def test_ids_that_are_refused(both: Both, id: Any) -> None:
    with pytest.raises(BadRequest):
        both.index.upsert(both.name, ["fine", id], np.ones((2, 4), np.float32), [{}] * 2)
    assert both.index.count(both.name) == 0


@pytest.mark.parametrize(
    "attributes",
    [[{}], [{"k": None}, {}], [{"k": float("nan")}, {}], [{"k": [1]}, {}], [{1: 1}, {}]],
)
def test_attributes_that_are_refused(both: Both, attributes: Any) -> None:
    with pytest.raises(BadRequest):
        both.index.upsert(both.name, ["a", "b"], np.ones((2, 4), np.float32), attributes)
    assert both.index.count(both.name) == 0


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
    both.index.upsert(both.name, ["a", "b"], np.eye(4, dtype=dtype)[:2], [{}] * 2)
    hits = both.index.search(both.name, np.eye(4, dtype=dtype)[1:2], 2)
    assert hits.ids == [["b", "a"]]


def test_what_was_written_is_seen_at_once_and_after_reopening(
    place: str, index: VectorIndex
) -> None:
    both = Both(index)
    other = open_index(place)
    for number in range(5):
        both.upsert([f"id-{number}"], [[1, number, 0, 0]], [{"k": number}])
        for seen in (index, other):
            assert seen.count(both.name) == number + 1
            assert seen.search(both.name, np.array([[1, number, 0, 0]], np.float32), 1).ids == [
                [f"id-{number}"]
            ]
    both.delete(ids=["id-0"])
    assert other.count(both.name) == 4
    other.close()
    both.index = open_index(place)
    both.agree(grid(3))
    both.agree_on_all()
    both.index.close()
    index.drop(both.name)


def test_writers_and_readers_at_once(both: Both) -> None:
    """Each batch is a group of rows that search must show whole or not at all."""
    index, name = both.index, both.name
    size, groups, writers = 8, 6, 4

    def write(writer: int) -> None:
        for group in range(groups):
            ids = [f"{writer}-{group}-{row}" for row in range(size)]
            rows = np.ones((size, 4), np.float32)
            index.upsert(name, ids, rows, [{"group": f"{writer}-{group}"}] * size)

    def look() -> list[int]:
        found = index.search(name, np.ones((1, 4), np.float32), 1000).ids[0]
        groups = [id.rpartition("-")[0] for id in found]
        return [groups.count(group) for group in set(groups)]

    with ThreadPoolExecutor(writers + 1) as pool:
        writing = [pool.submit(write, writer) for writer in range(writers)]
        seen: set[int] = set()
        while not all(future.done() for future in writing):
            seen.update(look())
        for future in writing:
            future.result()
    assert seen | set(look()) == {size}
    assert index.count(name) == size * groups * writers


def test_closed(place: str) -> None:
    both = Both(open_index(place))
    both.upsert(["a"], [[1, 0, 0, 0]])
    both.index.close()
    both.index.close()
    with pytest.raises(Unavailable):
        both.index.count(both.name)
    again = open_index(place)
    assert again.count(both.name) == 1
    again.drop(both.name)
    again.close()
