"""Bounds on what is done at once: beyond them the answer is 429 with a time to come back.

Without them 1,000 clients wait in line until most have given up, and their bodies fill the memory.
"""

import asyncio
import random

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tunewright.errors import Busy
from tunewright.settings import Settings

# Of the 40 threads in which use cases run: the others answer whoever wants no vectors.
EMBEDDING_THREADS = 8


class Crowd:
    """Counts bodies in memory, and the embedding and generating requests under way.

    A place is taken when the body has arrived whole, so that slow bodies keep nobody out. Forms
    are not counted: they go to the disk as they come.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._bytes = 0
        self._most_bytes = settings.bodies_limit
        self._lanes = {
            "/embeddings": Lane("embedding", settings.embedding_queue, EMBEDDING_THREADS),
            "/completions": Lane("generating", settings.generation_queue, None),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or _is_form(scope):
            await self._app(scope, receive, send)
            return
        visit = _Visit(self, self._lane(scope["path"]), receive)
        try:
            await self._app(scope, visit.receive, send)
        finally:
            visit.end()

    def hold(self, size: int) -> None:
        if self._bytes + size > self._most_bytes:
            raise _busy("The bodies of the requests under way are too large together.")
        self._bytes += size

    def release(self, size: int) -> None:
        self._bytes -= size

    def _lane(self, path: str) -> "Lane | None":
        return next((lane for end, lane in self._lanes.items() if path.endswith(end)), None)


class Lane:
    """At most `most` requests of a kind, of which at most `running` run and the others wait."""

    def __init__(self, what: str, most: int, running: int | None) -> None:
        self._what = what
        self._most = most
        self._inside = 0
        self._running = asyncio.Semaphore(running or most)

    async def enter(self) -> None:
        """Wait for a turn. Raises Busy when all places are taken."""
        if self._inside >= self._most:
            raise _busy(f"{self._most} {self._what} requests are under way or waiting.")
        self._inside += 1
        try:
            await self._running.acquire()
        except BaseException:
            self._inside -= 1
            raise

    def leave(self) -> None:
        self._inside -= 1
        self._running.release()


class _Visit:
    """One request: what it holds of the crowd's room."""

    def __init__(self, crowd: Crowd, lane: Lane | None, receive: Receive) -> None:
        self._crowd = crowd
        self._lane = lane
        self._receive = receive
        self._held = 0
        self._inside = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        size = len(message.get("body", b""))
        self._crowd.hold(size)
        self._held += size
        if self._lane and not self._inside and not message.get("more_body"):
            await self._lane.enter()
            self._inside = True
        return message

    def end(self) -> None:
        self._crowd.release(self._held)
        if self._lane and self._inside:
            self._lane.leave()


def _is_form(scope: Scope) -> bool:
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    return any(kind.lower().startswith(b"multipart/") for kind in kinds)


def _busy(what: str) -> Busy:
    # Spread, or all who are refused now would come back at the same moment.
    return Busy(f"The server is busy: {what}", retry_after=random.uniform(0.5, 1.5))
