"""Keeps a lease alive while work goes on."""

import logging
import threading
from collections.abc import Callable, Sequence
from types import TracebackType

from tunewright.errors import TunewrightError
from tunewright.tasks import Held, LostLease, Task, Tasks

log = logging.getLogger(__name__)

BEAT_SECONDS = 0.5


class Heartbeat:
    """Renews `task` until the block ends. Calls `on_stop` once when the work must end early:
    the lease was lost (the job was cancelled, say), the task is paused, or the worker is stopping.

    others: tasks that are done together with it, whose leases are renewed too.
    `held` stays true even if the hold is taken back: the work has been told to end by then."""

    def __init__(
        self,
        tasks: Tasks,
        task: Task,
        stopping: threading.Event,
        on_stop: Callable[[], None],
        others: Sequence[Task] = (),
    ) -> None:
        self.lost = False
        self.held = False
        self._tasks = tasks
        self._task = task
        self._others = others
        self._stopping = stopping
        self._on_stop = on_stop
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    @property
    def over(self) -> bool:
        """Whether the work must end early."""
        return self.lost or self.held or self._stopping.is_set()

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _beat(self) -> None:
        stopped = False
        while not self._done.wait(BEAT_SECONDS):
            try:
                self._tasks.keep(self._others)
                self._tasks.renew(self._task)
            except LostLease:
                self.lost = True
            except Held:
                self.held = True
            except TunewrightError as error:  # the catalog: busy, or its disk is full
                log.warning("heartbeat of %s: %s", self._task.subject, error.message)
            except Exception:  # whatever it is: without a beat the task would be given out again
                log.exception("heartbeat of %s", self._task.subject)
            if self.over and not stopped:
                stopped = True
                self._on_stop()
            if self.lost:
                return
