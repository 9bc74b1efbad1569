"""How the answers of many organisations get into the engine: counted, bounded, by turns."""

import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from tunewright.errors import BadRequest, Busy, Unavailable
from tunewright.generation.generator import ModelSpec, Request
from tunewright.serving.client import Delta, Done, EngineClient, EngineEvent, Failed
from tunewright.serving.rows import OPEN_EACH, Rows

OnEvent = Callable[[EngineEvent], None]


class FakeEngine:
    """Keeps what it was given until a test lets it go on."""

    def __init__(self) -> None:
        self.open: list[tuple[Request, OnEvent]] = []
        self.cancelled: list[int] = []
        self.broken = False

    def submit(self, request: Request, on_event: OnEvent) -> Any:
        if self.broken:
            raise Unavailable("gone")
        self.open.append((request, on_event))

        class Handle:
            def cancel(_) -> None:
                self.cancelled.append(request.id)

        return Handle()

    def end(self, at: int = 0) -> Request:
        request, on_event = self.open.pop(at)
        on_event(Delta([7]))
        on_event(Done("stop"))
        return request


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def rows(engine: FakeEngine) -> Rows:
    return Rows(cast(EngineClient, engine), most=100)


def wish(id: int) -> Request:
    return Request(id, ModelSpec("m", "/m"), [1, 2, 3])


def test_one_organisation_fills_its_share_and_the_other_goes_straight_in(
    engine: FakeEngine, rows: Rows
) -> None:
    heard: list[EngineEvent] = []
    spent: list[int] = []
    many, one = rows.of("many", spend=spent.append), rows.of("one")
    for id in range(90):
        many(wish(id), heard.append)
    assert len(engine.open) == OPEN_EACH
    one(wish(500), heard.append)
    assert engine.open[-1][0].organisation == "one"
    order = [engine.end().id for _ in range(91)]
    assert sorted(order) == [*range(90), 500]
    assert order.index(500) == OPEN_EACH
    assert len(heard) == 2 * 91
    assert sum(spent) == 90 * 4  # three of each prompt and one that was made


def test_what_was_cancelled_while_it_waited_never_reaches_the_engine(
    engine: FakeEngine, rows: Rows
) -> None:
    heard: list[EngineEvent] = []
    own = rows.of("a")
    handles = [own(wish(id), heard.append) for id in range(OPEN_EACH + 3)]
    handles[OPEN_EACH].cancel()
    handles[0].cancel()
    handles[0].cancel()
    assert engine.cancelled == [0, 0]
    while engine.open:
        engine.end()
    assert len(heard) == 2 * (OPEN_EACH + 1)
    own(wish(99), heard.append)
    assert [request.id for request, _ in engine.open] == [99]


def test_an_engine_that_is_gone_fails_each_row_once_however_many_wait(
    engine: FakeEngine, rows: Rows
) -> None:
    own = rows.of("a")
    heard: list[EngineEvent] = []
    for id in range(2000):
        own(wish(id), heard.append)
    engine.broken = True
    for _, on_event in list(engine.open):
        on_event(Failed(Unavailable("stopped")))
    assert len(heard) == 2000
    assert all(isinstance(event, Failed) for event in heard)


def test_room_is_taken_by_rows_and_given_back_once(rows: Rows) -> None:
    own, other = rows.of("a"), rows.of("b")
    with pytest.raises(BadRequest, match="101 answers"):
        own.reserve(101)
    release = own.reserve(60)
    with pytest.raises(Busy):
        own.reserve(41)
    other.reserve(100)
    release()
    release()
    own.reserve(100)
    # All of them together have four shares; who has nothing under way gets in beyond them.
    for name in "cde":
        rows.of(name).reserve(100)
    with pytest.raises(Busy):
        rows.of("b").reserve(1)


def test_many_threads_keep_the_count(engine: FakeEngine, rows: Rows) -> None:
    def work(name: str) -> None:
        own = rows.of(name)
        for id in range(50):
            own(wish(id), lambda _: None).cancel()

    threads = [threading.Thread(target=work, args=(f"o{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not rows._inside
    assert not rows._waiting
