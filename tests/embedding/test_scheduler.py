"""One scheduler for many requests, with an engine that computes a batch when the test says so."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress

import numpy as np
import pytest
from numpy.typing import NDArray

from tunewright.embedding.embedder import Declared
from tunewright.embedding.scheduler import Scheduler
from tunewright.embedding.texts import OfTokens
from tunewright.errors import Busy, NotFound, TunewrightError, Unavailable

BREAKS, NO_NUMBER, REFUSES = 666, 667, 668
SECONDS = 30


class Engine(OfTokens):
    """A vector holds the first id of its input. `batches`: what it was given, by first ids."""

    vocabulary, unknown = 1000, None

    def __init__(self, *, held: bool = False) -> None:
        super().__init__(Declared(12))
        self.batches: list[list[int]] = []
        self.arrived = threading.Semaphore(0)
        self.go = threading.Semaphore(0 if held else 10**6)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        raise NotImplementedError

    def spelled(self, inputs: Sequence[Sequence[int]]) -> list[str]:
        raise NotImplementedError

    def embed_tokens(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        first = [ids[0] for ids in batch]
        self.batches.append(first)
        self.arrived.release()
        assert self.go.acquire(timeout=SECONDS)
        if BREAKS in first:
            raise IndexError("list index out of range")
        if REFUSES in first:
            raise NotFound("It was deleted.")
        vectors = np.repeat(np.array(first, np.float32)[:, None], 12, axis=1)
        vectors[vectors == NO_NUMBER] = np.nan
        return vectors

    def computing(self) -> None:
        """Returns when it has a batch."""
        assert self.arrived.acquire(timeout=SECONDS)


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    made = Scheduler(200_000)
    yield made
    made.close()


def large(first: int) -> list[list[int]]:
    """A request of 200 inputs, some 15 batches."""
    return [[first, n, *[0] * 60] for n in range(200)]


def numbers(future: "Future[NDArray[np.float32]]") -> list[float]:
    return future.result(SECONDS)[:, 0].tolist()


def test_requests_that_came_together_are_a_batch_and_each_gets_its_own(
    scheduler: Scheduler,
) -> None:
    engine = Engine(held=True)
    first = scheduler.submit("a", engine, [[1]])
    engine.computing()
    others = [scheduler.submit("ab"[n % 2], engine, [[n], [n + 1], [n]]) for n in range(10, 74)]
    engine.go.release(10)
    assert numbers(first) == [1]
    assert [numbers(future) for future in others] == [[n, n + 1, n] for n in range(10, 74)]
    assert len(engine.batches) == 2
    assert scheduler.submit("a", engine, []).result().shape == (0, 12)


def test_what_nobody_waits_for_costs_no_further_batch(scheduler: Scheduler) -> None:
    engine = Engine(held=True)
    abandoned = [scheduler.submit("a", engine, large(n)) for n in range(6)]
    engine.computing()
    word = scheduler.submit("b", engine, [[7]])
    for future in abandoned:
        assert future.cancel()
    engine.go.release(10)
    assert numbers(word) == [7]
    assert [set(batch) for batch in engine.batches] == [{0}, {7}]
    with pytest.raises(CancelledError):
        abandoned[0].result()


def test_one_word_waits_for_a_batch_and_not_for_a_request(scheduler: Scheduler) -> None:
    engine = Engine(held=True)
    flood = [scheduler.submit("a", engine, large(n)) for n in range(5)]
    engine.computing()
    word = scheduler.submit("b", engine, [[7]])
    engine.go.release(3)
    assert numbers(word) == [7]
    before = next(n for n, batch in enumerate(engine.batches) if 7 in batch)
    assert before <= 2
    for future in flood:
        future.cancel()
    engine.go.release(10)


def test_a_text_that_breaks_the_engine_harms_no_other_request(
    scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine(held=True)
    first = scheduler.submit("a", engine, [[1]])
    engine.computing()
    good = [scheduler.submit("b", engine, [[n], [n + 1]]) for n in (10, 20, 30)]
    bad = [scheduler.submit("a", engine, [[n], [5]]) for n in (BREAKS, NO_NUMBER, REFUSES)]
    engine.go.release(100)
    assert numbers(first) == [1]
    assert [numbers(future) for future in good] == [[10, 11], [20, 21], [30, 31]]
    for future, kind in zip(bad, (Unavailable, Unavailable, NotFound), strict=True):
        with pytest.raises(kind):
            future.result(SECONDS)
    assert "list index out of range" in caplog.text
    assert numbers(scheduler.submit("a", engine, [[3]])) == [3], "and the next request neither"


def test_tokens_under_way_are_bounded_and_no_organisation_has_all_the_room() -> None:
    engine, scheduler = Engine(held=True), Scheduler(52_000)
    taken = [scheduler.submit("a", engine, large(n)) for n in range(3)]
    # Three quarters are 39,000; a vector of 12 numbers counts as a token.
    with pytest.raises(Busy, match=r"37,800 tokens are under way, 37,800 of them yours") as refused:
        scheduler.submit("a", engine, large(3))
    assert 0.5 <= (refused.value.retry_after or 0) <= 1.5
    other = scheduler.submit("b", engine, [[0] * 12_000])
    with pytest.raises(Busy):
        scheduler.submit("c", engine, [[0] * 3000])
    taken.pop().cancel()
    taken.append(scheduler.submit("a", engine, large(9)))
    for future in [*taken, other]:
        future.cancel()
    alone = scheduler.submit("a", engine, [[5] * 60_000])
    engine.go.release(100)
    assert numbers(alone) == [5], "a large one is taken when it is the only one"
    scheduler.close()


def test_an_engine_that_hangs_holds_up_no_other_model(scheduler: Scheduler) -> None:
    hangs, other = Engine(held=True), Engine()
    waits = scheduler.submit("a", hangs, [[1]])
    assert numbers(scheduler.submit("a", other, [[2]])) == [2]
    assert not waits.done()
    hangs.go.release(10)
    assert numbers(waits) == [1]
    assert (hangs.batches, other.batches) == ([[1]], [[2]])


def test_closing_answers_everybody() -> None:
    engine, scheduler = Engine(held=True), Scheduler(100_000)
    waiting = [scheduler.submit(who, engine, large(1)) for who in "abc"]
    engine.computing()
    closing = threading.Thread(target=scheduler.close)
    closing.start()
    for future in waiting:
        with pytest.raises(Unavailable, match="shutting down"):
            future.result(SECONDS)
    with pytest.raises(TunewrightError, match="shutting down"):
        scheduler.submit("a", engine, [[1]])
    engine.go.release(10)
    closing.join(SECONDS)
    assert not closing.is_alive()
    assert len(engine.batches) == 1
    with suppress(TunewrightError):
        scheduler.close()


def test_without_a_thread_or_memory_one_request_fails_and_the_next_does_not(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: object) -> None:
        raise RuntimeError("can't start new thread")

    def no_memory(*_: object) -> None:
        raise MemoryError

    engine = Engine()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError):
            scheduler.submit("a", engine, [[1] * 60_000])
    assert numbers(scheduler.submit("a", engine, [[1] * 100_000])) == [1], "it takes no room"
    with monkeypatch.context() as patch:
        patch.setattr("tunewright.embedding.batching.Work.put", no_memory)
        with pytest.raises(Unavailable):
            scheduler.submit("a", engine, [[2]]).result(SECONDS)
    assert numbers(scheduler.submit("a", engine, [[3]])) == [3]


def test_batches_shrink_where_they_take_long_and_grow_again() -> None:
    """By a clock that the engine moves: ten tokens a millisecond, then 1,000."""
    now, sizes, speed = [0.0], list[int](), [10_000.0]

    class Slow(Engine):
        def embed_tokens(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
            tokens = len(batch) * (max(map(len, batch)) + 2)
            sizes.append(tokens)
            now[0] += tokens / speed[0]
            return super().embed_tokens(batch)

    engine = Slow()
    engine.batch_tokens = 20_000
    scheduler = Scheduler(10**6, clock=lambda: now[0])

    def embed() -> list[int]:
        sizes.clear()
        scheduler.submit("a", engine, [[1, n] * 49 for n in range(1000)]).result(SECONDS)
        return list(sizes)

    assert embed()[:2] == [20_000, 5_000]
    speed[0] = 1e6
    assert embed()[-2] > 15_000
    scheduler.close()
