"""How long a task may go on while other organisations wait for its lane."""

import contextlib
import os
import threading
import time

from tunewright.errors import TunewrightError
from tunewright.tasks import Task, Tasks
from tunewright.work.heartbeat import Heartbeat

TURN_SECONDS = 2.0
_NICE = 10  # whoever waits for an answer goes before those for whom nobody waits


def be_nice() -> None:
    """This thread, and those that it starts."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


class Turn:
    """When to stop: at once where nobody wants the result any longer, and after a while where
    others wait."""

    def __init__(
        self, tasks: Tasks, task: Task, heartbeat: Heartbeat, seconds: float | None = None
    ) -> None:
        self._tasks = tasks
        self._task = task
        self._heartbeat = heartbeat
        self._seconds = seconds or TURN_SECONDS
        self._ends = time.monotonic() + self._seconds

    def is_over(self) -> bool:
        if self._heartbeat.over:
            return True
        if time.monotonic() < self._ends:
            return False
        self._ends += self._seconds
        with contextlib.suppress(TunewrightError):  # the catalog is busy: nobody can be served
            return self._tasks.others_wait(self._task)
        return False
