"""Many requests of a batch under way at once, as the engine's batches want them."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tunewright.errors import Busy
from tunewright.work.batch_lines import Answered, Asked

AT_ONCE = 32
"""Two batches of the engine (`generation.batch`): one is full while the next is prepared."""
GATHER_SECONDS = 0.5
"""So long are answers gathered before they are kept, all by one sync of the disk."""
_TICK = 0.05
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True)
class _Came:
    asked: Asked
    answered: Answered | None = None
    error: Exception | None = None


class Round:
    """Goes through the requests, AT_ONCE at a time, in threads that nobody waits for should this
    process end. One that finds no room (Busy) is asked again later, and so long nothing new is."""

    def __init__(self, asked: Iterator[Asked], answer: Callable[[Asked], Answered]) -> None:
        self._asked = asked
        self._answer = answer
        self._again: deque[Asked] = deque()
        self._came: queue.SimpleQueue[_Came] = queue.SimpleQueue()
        self._under_way = 0
        self._not_before = 0.0
        self._read_all = False

    def go_on(
        self, enough: Callable[[], bool], unwanted: Callable[[], bool]
    ) -> Iterator[list[Answered]]:
        """The answers as they come, some at a time, until there are none left. Where `enough`, no
        more are asked, and those under way are waited for; where `unwanted`, they are not. Raises
        what `answer` raises besides Busy."""
        gathered: list[Answered] = []
        since = time.monotonic()
        while not unwanted():
            stop = enough()
            if not stop:
                self._fill()
            if not self._under_way and (stop or self.done):
                break
            if one := self._next():
                since = since if gathered else time.monotonic()
                gathered.append(one)
            late = time.monotonic() - since >= GATHER_SECONDS
            if gathered and (late or len(gathered) >= AT_ONCE):
                yield gathered
                gathered = []
        if gathered:
            yield gathered

    @property
    def done(self) -> bool:
        """Whether all have been asked, and answered or taken back."""
        return self._read_all and not self._again and not self._under_way

    def _fill(self) -> None:
        while self._under_way < AT_ONCE and time.monotonic() >= self._not_before:
            asked = self._again.popleft() if self._again else next(self._asked, None)
            if asked is None:
                self._read_all = True
                return
            try:
                threading.Thread(
                    target=self._ask, args=(asked,), name="batch-request", daemon=True
                ).start()
            except RuntimeError:  # no thread is left
                self._put_back(asked, 1.0)
                return
            self._under_way += 1

    def _ask(self, asked: Asked) -> None:
        try:
            self._came.put(_Came(asked, answered=self._answer(asked)))
        except Exception as error:
            self._came.put(_Came(asked, error=error))

    def _next(self) -> Answered | None:
        try:
            came = self._came.get(timeout=_TICK)
        except queue.Empty:
            return None
        self._under_way -= 1
        if isinstance(came.error, Busy):
            self._put_back(came.asked, came.error.retry_after or 1.0)
        elif came.error is not None:
            raise came.error
        return came.answered

    def _put_back(self, asked: Asked, seconds: float) -> None:
        self._again.append(asked)
        wait = min(seconds, _LONGEST_PAUSE)
        self._not_before = max(self._not_before, time.monotonic() + wait)
