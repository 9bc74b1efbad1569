"""A client that leaves takes its generation with it, at whatever moment."""

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any, cast

from starlette.requests import ClientDisconnect, Request

from tunewright.api.crowd import Lanes
from tunewright.api.streaming import stream
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
