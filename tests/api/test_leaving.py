"""A client that leaves takes its generation with it, at whatever moment."""

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.requests import ClientDisconnect, Request

from tunewright.answering.generating import EndEvent, Outputs, TextEvent
from tunewright.api.crowd import Lanes
from tunewright.api.streaming import collect, stream
from tunewright.errors import Unavailable
from tunewright.settings import Settings


class Generation:
    """In place of a real one: its first event comes, or never does."""

    def __init__(self, *events: object) -> None:
        self._events = events
        self.cancelled = 0

    def start(self, emit: Any) -> None:
        for event in self._events:
            emit(event)

    def cancel(self) -> None:
        self.cancelled += 1


class Chunks:
    def opening(self) -> list[dict]:
        return []

    def chunk(self, event: object) -> dict:
        return {"text": event}


def request(*messages: dict) -> Request:
    left = list(messages)

    async def receive() -> dict:
        if not left:
            await asyncio.sleep(3600)
        return left.pop(0)

    app = SimpleNamespace(state=SimpleNamespace(lanes=Lanes(Settings())))
    caller = SimpleNamespace(organisation="org")
    state = {"acting": SimpleNamespace(caller=caller)}
    return Request({"type": "http", "headers": [], "app": app, "state": state}, receive)


def test_one_that_leaves_before_its_turn_waits_for_nothing() -> None:
    generation = Generation()
    asked = request({"type": "http.disconnect"})
    answer = asyncio.run(stream(asked, cast("Any", generation), cast("Any", Chunks())))
    assert answer.status_code == 499
    assert generation.cancelled == 1


def test_one_that_leaves_before_the_first_line_is_sent_ends_its_generation() -> None:
    generation = Generation("one")

    async def gone(_: object) -> None:
        raise OSError("the connection is closed")

    async def ask() -> None:
        asked = request()
        answer = await stream(asked, cast("Any", generation), cast("Any", Chunks()))
        assert generation.cancelled == 0
        await answer({"type": "http"}, asked.receive, gone)

    with contextlib.suppress(OSError, ClientDisconnect, BaseExceptionGroup):  # as the server does
        asyncio.run(ask())
    assert generation.cancelled >= 1


def whole(generation: Generation, *messages: dict) -> tuple[bool, Outputs]:
    outputs = Outputs(1, 3)
    ran = asyncio.run(collect(request(*messages), cast("Any", generation), outputs))
    return ran, outputs


def test_a_whole_answer_is_added_up_until_it_ends_or_its_client_leaves() -> None:
    said = (TextEvent(0, "one "), TextEvent(0, "two"), EndEvent(0, "length", 2))
    ran, outputs = whole(ended := Generation(*said, None))
    assert (ran, outputs.texts, outputs.reasons) == (True, [["one ", "two"]], ["length"])
    assert outputs.usage.total_tokens == 5
    ran, outputs = whole(left := Generation(*said), {"type": "http.disconnect"})
    assert not ran
    assert ended.cancelled == left.cancelled == 1


def test_an_error_amid_a_whole_answer_is_its_end() -> None:
    generation = Generation(TextEvent(0, "one"), Unavailable("The engine stopped."), None)
    with pytest.raises(Unavailable, match="The engine stopped"):
        whole(generation)
    assert generation.cancelled == 1
