"""What the tests take. `place` is given by who runs them."""

from collections.abc import Iterator

import pytest

from tunewright.testing.vectors.both import Both
from tunewright.vectors import open_index
from tunewright.vectors.index import VectorIndex


@pytest.fixture(scope="module")
def index(place: str) -> Iterator[VectorIndex]:
    opened = open_index(place)
    yield opened
    opened.close()


@pytest.fixture
def both(index: VectorIndex) -> Iterator[Both]:
    made = Both(index)
    yield made
    index.drop(made.name)
