"""Work of many organisations on few places: by turns, and never longer than a slice at a time.

First come, first served would let one organisation's thousand requests stand before everybody
else's single one. Here each organisation that waits gets the next free place in turn, and long
work gives its place up after a slice and waits for its next turn. What runs in a slice runs in a
thread; what waits holds none.
"""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from tunewright.api.acting import acting
from tunewright.errors import Busy
from tunewright.stepwise import Steps

T = TypeVar("T")

SLICE = 0.05  # seconds: how long somebody else waits for a turn, for each organisation before it


class Lane:
    """`places` run at once. At most `most` requests are inside, running or waiting; of those one
    organisation has three quarters at most, so that it cannot keep the others out."""

    def __init__(self, what: str, places: int, most: int) -> None:
        self._what = what
        self._free = places
        self._most = most
        self._share = max(1, most - most // 4)
        self._inside: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @contextmanager
    def inside(self, who: str) -> Iterator[None]:
        """Raises Busy where too many are inside."""
        if self._inside.total() >= self._most or self._inside[who] >= self._share:
            raise busy(f"{self._inside.total()} {self._what} requests are under way or waiting.")
        self._inside[who] += 1
        try:
            yield
        finally:
            self._inside[who] -= 1
            if not self._inside[who]:
                del self._inside[who]

    @asynccontextmanager
    async def turn(self, who: str) -> AsyncIterator[None]:
        """One of the places, as soon as it is the turn of `who`."""
        await self._take(who)
        try:
            yield
        finally:
            self._give()

    async def _take(self, who: str) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(who, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the place came at the same moment
                self._give()
            raise

    def _give(self) -> None:
        while self._waiting:
            who, turns = next(iter(self._waiting.items()))
            turn = turns.popleft()
            if not turns:
                del self._waiting[who]
            if turn.done():  # cancelled: the turn is for the next one of the same organisation
                continue
            if turns:
                self._waiting[who] = self._waiting.pop(who)  # behind the other organisations
            turn.set_result(None)
            return
        self._free += 1


async def by_turns(request: Request, lane: Lane, steps: Steps[T], *, rest: float = 0.0) -> T:
    """The result of `steps`, which stop when the client has left (ClientDisconnect).

    rest: after each slice the place stays empty for so many times as long as it took. For what
    holds the interpreter's lock: nobody else runs meanwhile, not even the event loop.
    """
    who = acting(request).caller.organisation
    began = False
    try:
        with lane.inside(who):
            while True:
                async with lane.turn(who):
                    if began and await request.is_disconnected():
                        raise ClientDisconnect
                    began = True
                    at = time.monotonic()
                    found = await run_in_threadpool(_slice, steps)
                    if rest:
                        await asyncio.sleep(rest * (time.monotonic() - at))
                if found:
                    return found[0]
    finally:
        steps.close()


async def in_turn(request: Request, lane: Lane, call: Callable[[], T]) -> T:
    """The result of a short call that cannot be divided."""

    def steps() -> Steps[T]:
        yield from ()
        return call()

    return await by_turns(request, lane, steps())


def _slice(steps: Steps[T]) -> tuple[T] | None:
    """Go on for a slice; the result, if it comes within it."""
    until = time.monotonic() + SLICE
    try:
        while time.monotonic() < until:
            next(steps)
    except StopIteration as end:
        return (end.value,)
    return None


def busy(what: str) -> Busy:
    # Spread, or all who are refused now would come back at the same moment.
    return Busy(f"The server is busy: {what}", retry_after=random.uniform(0.5, 1.5))
