"""What is refused before anything is written."""

from typing import Any

import numpy as np
import pytest

from tunewright.errors import BadRequest
from tunewright.testing.vectors.both import Both
from tunewright.vectors.index import MOST_ID


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
