"""Many requests of a batch under way at once, as the engine's batches want them."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tunewright.work.batch_lines import Answered, Group

GATHER_SECONDS = 0.5
"""So long are answers gathered before they are kept, all by one sync of the disk."""
MOST_GATHERED = 32
_TICK = 0.05
_LONGEST_PAUSE = 60.0


@dataclass
class Outcome:
    """Of a group: what was answered, and what is to be asked again, not before some seconds."""

    answered: list[Answered] = field(default_factory=list)
    again: Group = field(default_factory=list)
    seconds: float = 0.0


class Round:
    """Goes through groups of requests, several at a time, in threads that nobody waits for should
    this process end. While one finds no room, nothing new is asked."""

    def __init__(
        self, groups: Iterator[Group], answer: Callable[[Group], Outcome], at_once: int
    ) -> None:
        self._groups = groups
        self._answer = answer
        self._at_once = at_once
        self._again: deque[Group] = deque()
        self._came: queue.SimpleQueue[Outcome | Exception] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._under_way = 0
        self._not_before = 0.0
        self._read_all = False

    def go_on(
        self, enough: Callable[[], bool], unwanted: Callable[[], bool]
    ) -> Iterator[list[Answered]]:
        """The answers as they come, some at a time, until there are none left. Where `enough`, no
        more are asked, and those under way are waited for; where `unwanted`, they are not. Raises
        what `answer` raises."""
        gathered: list[Answered] = []
        since = time.monotonic()
        while not unwanted():
            stop = enough()
            if not stop:
                self._fill()
            if not self._under_way and (stop or self.done):
                break
            if came := self._next():
                since = since if gathered else time.monotonic()
                gathered += came
            late = time.monotonic() - since >= GATHER_SECONDS
            if gathered and (late or len(gathered) >= MOST_GATHERED):
                yield gathered
                gathered = []
        if gathered:
            yield gathered

    @property
    def done(self) -> bool:
        """Whether all have been asked and answered."""
        return self._read_all and not self._again and not self._under_way

    def settle(self, seconds: float) -> None:
        """Wait for those under way, so long at most."""
        ends = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    def _fill(self) -> None:
        while self._under_way < self._at_once and time.monotonic() >= self._not_before:
            group = self._again.popleft() if self._again else next(self._groups, None)
            if group is None:
                self._read_all = True
                return
            thread = threading.Thread(
                target=self._ask, args=(group,), name="batch-request", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # no thread is left
                self._put_back(group, 1.0)
                return
            self._under_way += 1
            self._threads = [one for one in self._threads if one.is_alive()]
            self._threads.append(thread)

    def _ask(self, group: Group) -> None:
        try:
            self._came.put(self._answer(group))
        except Exception as error:
            self._came.put(error)

    def _next(self) -> list[Answered]:
        try:
            came = self._came.get(timeout=_TICK)
        except queue.Empty:
            return []
        self._under_way -= 1
        if isinstance(came, Exception):
            raise came
        if came.again:
            self._put_back(came.again, came.seconds)
        return came.answered

    def _put_back(self, group: Group, seconds: float) -> None:
        self._again.append(group)
        wait = min(seconds, _LONGEST_PAUSE)
        self._not_before = max(self._not_before, time.monotonic() + wait)
