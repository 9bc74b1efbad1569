"""Bounds on what is done at once: beyond them the answer is 429 with a time to come back.

Without them 1,000 clients wait in line until most have given up, and their bodies fill the memory.
What counts is what a request takes, where it takes it, and nothing that it says of itself.
"""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tunewright.api.acting import acting
from tunewright.api.memory import LARGE, Trimmer
from tunewright.api.responses import record_response
from tunewright.api.turns import Lane, busy, in_turn
from tunewright.records.record import Record
from tunewright.settings import Settings

_WAITING = 4096  # where only connections bound how many wait
SEARCHES = 12  # of one organisation at once, each on one of the 40 threads
_PROCESSORS = os.cpu_count() or 1


class Lanes:
    """The work that takes a processor, or the catalog, for longer than a moment.

    bodies: one at a time, as a parser holds the interpreter's lock. tokenizing: texts to embed, and
    writing their vectors; what is between is the scheduler's (`embedding.scheduler`), which counts
    it in tokens. preparing: rendering and tokenizing prompts. generating: counted only, the engine
    runs them. starting: they are sent to it, which takes as long as it does not listen. checks: of
    files. writing: changes in the catalog; all can wait for a process that holds it, and no reader
    waits behind them. reading: records, up to 10,000 at once, which holds the interpreter's lock.
    searching: in vector stores; they wait for the scheduler, and share one product of the index.
    uploads: pieces of files. storing: whole files and weights synced or copied, before what they
    are for is written to the catalog.
    """

    def __init__(self, settings: Settings) -> None:
        self.bodies = Lane("body", 1, _WAITING)
        places = max(2, _PROCESSORS // 4)
        self.tokenizing = Lane("embedding", places, _WAITING, spare=1)
        self.preparing = Lane("generating", 2, settings.generation_queue, spare=1)
        self.generating = Lane("generating", 1, settings.generation_queue)
        self.starting = Lane("generating", 4, _WAITING, spare=1)
        self.checks = Lane("checking", 1, 64, spare=1)
        self.writing = Lane("writing", 8, _WAITING, spare=1)
        self.reading = Lane("reading", 2, _WAITING, spare=1)
        self.searching = Lane("search", SEARCHES, _WAITING, spare=4)
        self.uploads = Lane("uploading", 4, _WAITING, spare=1)
        self.storing = Lane("storing", 4, _WAITING, spare=1)


def lanes(request: Request) -> Lanes:
    return request.app.state.lanes


class Crowd:
    """Counts the bodies in memory, and lets go of what a request held when it has ended.

    One organisation may hold three quarters of the room, so that it cannot keep the others out.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._bytes: Counter[str] = Counter()
        self._most_bytes = settings.bodies_limit
        self._trimmer = Trimmer()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "acting" not in scope["state"]:
            await self._app(scope, receive, send)
            return
        visit = Visit(self, scope["state"]["acting"].caller.organisation)
        scope["state"]["visit"] = visit
        try:
            await self._app(scope, receive, send)
        finally:
            visit.end()

    def hold(self, who: str, size: int) -> None:
        total, share = self._bytes.total() + size, self._bytes[who] + size
        if total > self._most_bytes or share > self._most_bytes - self._most_bytes // 4:
            raise busy(
                "The requests that are being answered are too large together. Try again in "
                "a moment."
            )
        self._bytes[who] += size

    def release(self, who: str, size: int) -> None:
        self._bytes[who] -= size
        if not self._bytes[who]:
            del self._bytes[who]
        if size >= LARGE:
            self._trimmer.soon()


class Visit:
    """One request: what it holds of the crowd's room until its answer is out."""

    def __init__(self, crowd: Crowd, who: str) -> None:
        self._crowd = crowd
        self._who = who
        self._held = 0
        self._lanes = ExitStack()

    @classmethod
    def of(cls, request: Request) -> "Visit":
        return request.state.visit

    def hold(self, size: int) -> None:
        """Count so many more bytes of the body. Raises Busy."""
        self._crowd.hold(self._who, size)
        self._held += size

    def release(self, size: int) -> None:
        """So many of them are held no longer."""
        self._crowd.release(self._who, size)
        self._held -= size

    def enter(self, lane: Lane) -> None:
        """Be counted in a lane. Raises Busy. Call it when the body has arrived whole: slow ones
        would keep others out."""
        self._lanes.enter_context(lane.inside(self._who))

    def end(self) -> None:
        self._crowd.release(self._who, self._held)
        self._lanes.close()


async def answer(request: Request, call: Callable[[], Record]) -> Response:
    """Run a use case that reads, in a thread as they are synchronous, and send what it gives."""
    return await in_turn(request, lanes(request).reading, lambda: record_response(call()))


async def change(request: Request, call: Callable[[], Record]) -> Response:
    """The same for a use case that writes to the catalog, and no `once.once` needs."""
    return await in_turn(request, lanes(request).writing, lambda: record_response(call()))


async def search(request: Request, call: Callable[[], Record]) -> Response:
    """The same for a search of a vector store."""
    return await in_turn(request, lanes(request).searching, lambda: record_response(call()))


async def in_uploads_turn(request: Request, call: Callable[[], None]) -> None:
    """Run a short call on a piece of an upload in a thread."""
    async with lanes(request).uploads.turn(acting(request).caller.organisation):
        await run_in_threadpool(call)
