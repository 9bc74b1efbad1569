"""What comes from clients is taken up by turns of who sends it, a little in each round of the loop.

An event loop serves whatever is ready: a thousand requests that come at once pass through each
stage together, and one more, of somebody else, waits for all of them at each stage, which took
seconds. Taken up a few in a round, the thousand take as long, and the one waits for a few.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable

BUDGET = 0.0005  # seconds in each round; what begins within them comes to its end
MOST_KNOWN = 10_000

Call = Callable[[], None]


class Rounds:
    """Who sends: an organisation, where the key is known, or else an address."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Call]] = OrderedDict()  # in the order of their turns
        self._known: OrderedDict[bytes, str] = OrderedDict()
        self._used = 0.0
        self._planned = False

    def take(self, who: str, call: Call) -> bool:
        """Call it now where nobody waits; whether it was called."""
        if not self._waiting and self._used < BUDGET:
            self._run(call)
            return True
        self._waiting.setdefault(who, deque()).append(call)
        return False

    def know(self, claim: bytes, organisation: str) -> None:
        """`claim`: what a head says of its key, which is a key of that organisation."""
        self._known[claim] = organisation
        self._known.move_to_end(claim)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    def of(self, claim: bytes) -> str | None:
        """Whose key it was when it was last asked for. No more than a hint: the key may have been
        revoked since."""
        return self._known.get(claim)

    def _run(self, call: Call) -> None:
        began = time.perf_counter()
        try:
            call()
        finally:
            self._used += time.perf_counter() - began
            if not self._planned:
                self._planned = True
                asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._planned, self._used = False, 0.0
        while self._waiting and self._used < BUDGET:
            who, calls = self._waiting.popitem(last=False)
            call = calls.popleft()
            if calls:
                self._waiting[who] = calls  # behind the others
            self._run(call)
