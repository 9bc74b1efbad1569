"""What databases round in float32, and what is kept beside it."""

from typing import Any, cast

import numpy as np

from tunewright.vectors.databases.database import Collection, Found, Limits
from tunewright.vectors.databases.nearest import Nearest, Split
from tunewright.vectors.databases.units import given, units
from tunewright.vectors.filters import EVERY


class Rounding:
    """Its similarities are a little over 1, and a little under -1."""

    limits = Limits(short_is_all=True)

    def most(self, *_asked: object, **_more: object) -> int:
        return self.limits.nearest

    def search(self, *_asked: object) -> list[Found]:
        return [Found(["a", "b"], np.array([-6e-8, 2 + 2e-7]))]


def test_a_cosine_distance_is_from_0_to_2() -> None:
    collection = Collection("c", 2, "cosine")
    nearest = Nearest(cast("Any", Rounding()), collection, cast("Any", lambda do: do()))
    hits = nearest.search(np.ones((1, 2), np.float32), 2, Split(EVERY, EVERY))
    assert hits.distances.tolist() == [[0, 2]]
    assert hits.scores.tolist() == [[1, 0]]


def test_vectors_of_any_length_come_back_as_they_were_given() -> None:
    rows = np.array([[1e-30, 2e-30], [3e30, 1e30], [0.6, 0.8], [3, 4]], np.float32)
    made, originals = units(rows, "cosine")
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-6)
    assert [original is None for original in originals] == [False, False, True, False]
    assert given(made, originals).tolist() == rows.tolist()
    assert units(rows, "dot")[0] is rows
