"""Filters: each operator with each value and key, and trees of them at random.

The thousands are asked in parts, all of the same rows: what was cut off goes on with
`-k "thousands and PLACE-7"`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.testing.vectors.both import KEYS, QUIET, VALUES, Both, grid, names
from tunewright.testing.vectors.trees import OPERATORS, distinct_trees
from tunewright.vectors.index import VectorIndex

QUERIES = grid(10, seed=8)


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


FEW, MANY, PART = 300, 10_000, 1000


def test_random_filters(many: Both, record_property: Any) -> None:
    record_property("filters", FEW)

    @settings(max_examples=FEW, **QUIET)
    @given(where=trees, query=st.sampled_from(QUERIES))
    def agree(where: Any, query: list[float]) -> None:
        many.agree([query], k=15, where=where)

    agree()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("_part", range(MANY // PART))
def test_thousands_of_random_filters(many: Both, _part: int, record_property: Any) -> None:
    """No two alike, each asked for few, some and all of the rows that match."""
    record_property("filters", PART)
    wheres = distinct_trees(MANY, tuple(KEYS[:3]))[_part * PART :][:PART]
    for number, where in enumerate(wheres):
        many.agree([QUERIES[number % 10]], k=(1, 15, 200)[number % 3], where=where)
