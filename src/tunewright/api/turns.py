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

from tunewright.api.acting import acting, connection_of
from tunewright.errors import Busy
from tunewright.stepwise import Steps

T = TypeVar("T")

SLICE = 0.05  # seconds: how long somebody else waits for a turn, for each organisation before it


class Lane:
    """Work of one kind. An organisation has `places` at once, all together have `spare` more: so
    there is one for somebody else, whatever a single organisation does that has no short steps.

    At most `most` requests are inside, running or waiting; of those one organisation has three
    quarters at most, so that it cannot keep the others out.
    """

    def __init__(self, what: str, places: int, most: int, spare: int = 0) -> None:
        self._what = what
        self._each = places
        self._free = places + spare
        self._most = most
        self._share = max(1, most - most // 4)
        self._inside: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
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
            self._give(who)

    async def _take(self, who: str) -> None:
        if self._may(who):
            self._occupy(who)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(who, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the place came at the same moment
                self._give(who)
            raise

    def _may(self, who: str) -> bool:
        return self._free > 0 and self._running[who] < self._each

    def _occupy(self, who: str) -> None:
        self._free -= 1
        self._running[who] += 1

    def _give(self, who: str) -> None:
        self._free += 1
        self._running[who] -= 1
        if not self._running[who]:
            del self._running[who]
        for other in list(self._waiting):
            if self._may(other) and self._wake(other):
                return

    def _wake(self, who: str) -> bool:
        """Give a place to the first of `who` that still waits; whether there was one."""
        turns = self._waiting.pop(who)
        while turns:
            turn = turns.popleft()
            if not turn.done():  # else it was cancelled
                if turns:
                    self._waiting[who] = turns  # behind the other organisations
                self._occupy(who)
                turn.set_result(None)
                return True
        return False


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
                    if not began and connection_of(request.scope).gone:
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
