"""A server that does not answer, or answers something else than before."""

import time
from collections.abc import Iterator

import numpy as np
import pytest

from tunewright.errors import BadRequest, NotFound, Unavailable
from tunewright.testing.vectors.both import Both
from tunewright.testing.vectors.relay import Relay, Way, relay
from tunewright.vectors import open_index
from tunewright.vectors.databases.calling import DEADLINE
from tunewright.vectors.databases.place import place_of
from tunewright.vectors.index import VectorIndex

ROW = np.ones((1, 4), np.float32)


@pytest.fixture
def between(place: str) -> Iterator[Relay]:
    if "://" not in place or not (there := place_of(place)).port:
        pytest.skip("no server: there is nothing between it and us")
    with relay(there.host, there.port) as made:
        yield made


def through(place: str, between: Relay) -> str:
    there = place_of(place)
    return place.replace(f"{there.host}:{there.port}", f"127.0.0.1:{between.port}")


@pytest.mark.parametrize("way", ["silent", "slow", "reset", "down"])
def test_a_server_that_does_not_answer_is_unavailable(
    both: Both, place: str, between: Relay, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the deadline, by a message that names the server; it is used again when it is back."""
    monkeypatch.setenv(DEADLINE, "3")
    both.upsert(["a"], [[1, 0, 0, 0]])
    index = open_index(through(place, between))
    if way == "down":
        between.close()
    between.way = way
    began = time.monotonic()
    with pytest.raises(Unavailable) as raised:
        index.count(both.name)
    assert time.monotonic() - began < 20
    assert f"127.0.0.1:{between.port}" in str(raised.value)
    if way != "down":
        between.way = "on"
        assert again(index, both.name) == 1
    index.close()


def again(index: VectorIndex, name: str) -> int:
    """What the client has to give up first, it may find out by asking."""
    for _ in range(10):
        try:
            return index.count(name)
        except Unavailable:
            time.sleep(0.2)
    return index.count(name)


def test_a_collection_that_others_make_anew(place: str, index: VectorIndex) -> None:
    """With another length, where each of ours would be refused; and one that is not there."""
    both = Both(index)
    both.upsert(["a"], [[1, 0, 0, 0]])
    other = open_index(place)
    other.drop(both.name)
    other.create(both.name, 5)
    with pytest.raises(BadRequest):
        index.upsert(both.name, ["a"], ROW, [{}])
    with pytest.raises(BadRequest):
        index.search(both.name, ROW, 1)
    five = np.ones((1, 5), np.float32)
    index.upsert(both.name, ["b"], five, [{}])
    assert index.search(both.name, five, 2).ids == [["b"]]
    other.drop(both.name)
    with pytest.raises(NotFound):
        index.upsert(both.name, ["a"], five, [{}])
    with pytest.raises(NotFound):
        index.search(both.name, five, 1)
    other.close()
