"""What was written is there: after anything else, after reopening, for others, at once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.errors import Unavailable
from tunewright.testing.vectors.both import QUIET, Both, grid, names
from tunewright.vectors import open_index
from tunewright.vectors.index import VectorIndex

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
