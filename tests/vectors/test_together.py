"""Searches of one moment, answered by one product."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tunewright.vectors.filters import Comparison, Filter
from tunewright.vectors.index import Floats, Hits
from tunewright.vectors.local.together import MOST, Together


class Counting:
    """Answers each query with its own number as id, and holds the first call back."""

    def __init__(self, fails_above: int = 10**9) -> None:
        self.calls: list[int] = []
        self.go_on = threading.Event()
        self.begun = threading.Event()
        self._fails_above = fails_above

    def __call__(self, queries: Floats, k: int, where: Filter | None) -> Hits:
        self.calls.append(len(queries))
        self.begun.set()
        assert self.go_on.wait(30)
        if len(queries) > self._fails_above:
            raise MemoryError
        ids = [[f"{query[0]:.0f}.{hit}" for hit in range(k)] for query in queries]
        floats = np.repeat(queries[:, :1], k, axis=1)
        return Hits(ids, floats, -floats)


def expected(number: int, k: int) -> list[list[str]]:
    return [[f"{number}.{hit}" for hit in range(k)]]


def query(number: int) -> Floats:
    return np.array([[number, 0]], np.float32)


def _waiting(together: Together) -> int:
    with together._lock:
        return sum(map(len, together._waiting.values()))


def after_the_first(
    answer: Counting, searches: int, wheres: list[Filter | None] | None = None
) -> list[list[list[str]]]:
    """What `searches` get that come while another one runs."""
    together = Together(answer)
    with ThreadPoolExecutor(searches + 1) as pool:
        first = pool.submit(together.search, query(999), 2, None)
        assert answer.begun.wait(30)
        rest = [
            pool.submit(
                together.search, query(n), n % 3 + 1, (wheres or [None])[n % len(wheres or [None])]
            )
            for n in range(searches)
        ]
        while _waiting(together) + len(answer.calls) < searches + 1:
            pass
        answer.go_on.set()
        assert first.result(30).ids == expected(999, 2)
        found = [one.result(30) for one in rest]
    assert not together._waiting
    for number, hits in enumerate(found):
        assert hits.scores.tolist() == [[float(number)] * (number % 3 + 1)]
    return [hits.ids for hits in found]


def test_those_that_wait_are_answered_by_one_call() -> None:
    answer = Counting()
    found = after_the_first(answer, 12)
    assert found == [expected(n, n % 3 + 1) for n in range(12)]
    assert answer.calls == [1, 12]


def test_one_alone_goes_at_once() -> None:
    answer = Counting()
    answer.go_on.set()
    together = Together(answer)
    for number in range(3):
        assert together.search(query(number), 1, None).ids == expected(number, 1)
    assert answer.calls == [1, 1, 1]


def test_those_with_another_filter_wait_for_nobody() -> None:
    answer = Counting()
    other = Comparison("k", "eq", (1.0,))
    found = after_the_first(answer, 1, [other])
    assert found == [expected(0, 1)]
    assert answer.calls == [1, 1]


def test_a_call_of_many_queries_takes_no_more_with_it() -> None:
    answer = Counting()
    together = Together(answer)
    with ThreadPoolExecutor(4) as pool:
        pool.submit(together.search, query(0), 1, None)
        assert answer.begun.wait(30)
        large = pool.submit(together.search, np.ones((MOST, 2), np.float32), 1, None)
        while _waiting(together) < 1:
            pass
        small = pool.submit(together.search, query(2), 1, None)
        while _waiting(together) < 2:
            pass
        answer.go_on.set()
        assert len(large.result(30).ids) == MOST
        assert small.result(30).ids == expected(2, 1)
    assert answer.calls == [1, MOST, 1]


def test_what_fails_together_is_tried_alone() -> None:
    answer = Counting(fails_above=1)
    assert after_the_first(answer, 4) == [expected(n, n % 3 + 1) for n in range(4)]
    assert answer.calls == [1, 4, 1, 1, 1, 1]


def test_what_fails_alone_is_raised() -> None:
    answer = Counting(fails_above=0)
    answer.go_on.set()
    together = Together(answer)
    with pytest.raises(MemoryError):
        together.search(query(1), 1, None)
    assert not together._waiting
