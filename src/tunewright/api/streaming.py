"""From the engine's thread to the client: events as they come, whole answers, disconnects.

The engine's events arrive on the engine client's reader thread and are handed to the event loop.
Whether the answer is streamed or not, a client that leaves ends its generation: without the
watcher a non-streamed one would run to its end for nobody.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tunewright.answering.chunks import Chunks
from tunewright.answering.generating import Event, Generation, Outputs
from tunewright.api.acting import acting
from tunewright.api.crowd import lanes
from tunewright.api.waiting import left
from tunewright.errors import TunewrightError


async def collect(request: Request, generation: Generation, outputs: Outputs) -> bool:
    """Run a generation to its end. False if the client left first; then it is cancelled. The
    events are added up in the engine client's thread; the event loop hears of the end alone."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def end(error: TunewrightError | None) -> None:
        if not ended.done():
            ended.set_exception(error) if error else ended.set_result(None)

    def emit(event: Event | None) -> None:
        if event is None or isinstance(event, TunewrightError):
            loop.call_soon_threadsafe(end, event)
        else:
            outputs.take(event)

    async def run() -> None:
        await _start(request, generation, emit)
        await ended

    running, leaving = asyncio.create_task(run()), asyncio.create_task(left(request))
    try:
        await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            return False
        await running
        return True
    finally:
        _cancel(generation)
        for waiting in (running, leaving, ended):
            waiting.cancel()


async def _start(
    request: Request, generation: Generation, emit: Callable[[Event | None], None]
) -> None:
    async with lanes(request).starting.turn(acting(request).caller.organisation):
        await run_in_threadpool(generation.start, emit)


async def stream(request: Request, generation: Generation, chunks: Chunks) -> Response:
    """Server-sent events, ending in [DONE]. An error before the first event is raised, so that it
    becomes an ordinary error response; one after it is sent as an event."""
    events = _events(request, generation)
    try:
        first = await _first(request, events)
        if isinstance(first, TunewrightError):
            raise first
    except BaseException:
        _cancel(generation)
        raise
    if first is None:
        _cancel(generation)
        return Response(status_code=499)
    return _Stream(generation, _lines(chunks, first, events))


async def _first(request: Request, events: AsyncIterator[Event]) -> Event | None:
    """None if the client leaves before it: it may wait long for its turn."""

    async def next_event() -> Event:
        return await anext(events)

    coming, leaving = asyncio.create_task(next_event()), asyncio.create_task(left(request))
    try:
        await asyncio.wait({coming, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return await coming if coming.done() else None
    finally:
        coming.cancel()
        leaving.cancel()


class _Stream(StreamingResponse):
    """Ends its generation even where the client left before the first line was asked for."""

    def __init__(self, generation: Generation, lines: AsyncIterator[bytes]) -> None:
        super().__init__(lines, headers=_HEADERS)
        self._generation = generation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            _cancel(self._generation)


def _cancel(generation: Generation) -> None:
    """In a thread: the engine is told of it, and one that hangs takes its time to hear."""
    asyncio.get_running_loop().run_in_executor(None, generation.cancel)


_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


async def _lines(
    chunks: Chunks, first: Event, events: AsyncIterator[Event]
) -> AsyncIterator[bytes]:
    try:
        for chunk in chunks.opening():
            yield _line(chunk)
        yield _line(chunks.chunk(first))
        async for event in events:
            yield _line(chunks.chunk(event))
        for chunk in chunks.closing():
            yield _line(chunk)
        yield b"data: [DONE]\n\n"
    except TunewrightError as error:
        yield _line(error.body())


def _line(value: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


async def _events(request: Request, generation: Generation) -> AsyncIterator[Event]:
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Event | None] = asyncio.Queue()

    def emit(event: Event | None) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, event)

    await _start(request, generation, emit)
    while (event := await queue.get()) is not None:
        yield event
