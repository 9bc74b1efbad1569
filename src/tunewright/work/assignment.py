"""One leased task with what is needed to do it, and the ways it can end."""

import contextlib
import logging
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from tunewright.app import Acting, Tunewright
from tunewright.errors import JobFailed, StorageFull
from tunewright.records.events import Level
from tunewright.resources.progress import Moved, Progress
from tunewright.tasks import LostLease, Task

log = logging.getLogger(__name__)

SPACE_SECONDS = 10.0
"""How long a task waits before it looks again whether the disk has space."""


@dataclass(frozen=True)
class Assignment(ABC):
    """A kind of task is a subclass with `run` (and its row in `tasks.kinds`).

    `begun`: what an earlier turn of a task has left half done, by the task's id: to go on with,
    should this worker get it again.
    """

    called: ClassVar[str] = "The task"

    tw: Tunewright
    task: Task
    stopping: threading.Event
    begun: dict[str, Any] = field(default_factory=dict)

    @abstractmethod
    def run(self) -> None:
        """Do the task, and end it by one of the methods below. Raises LostLease where somebody
        else has it, Held where it is paused, Moved where its subject needs it no longer, JobFailed
        where it can never be done, and StorageFull; anything else is tried again."""

    @property
    def log(self) -> str:
        """Where the reason of a crash can be read, for the message."""
        return "the server's log"

    def failed(self, error: JobFailed) -> None:
        """Record that the task is given up, for its subject. Part of a transaction."""
        log.error("task %s (%s) is given up: %s", self.task.id, self.task.kind, error.message)

    def crashed(self, error: Exception) -> None:
        """Keep what nobody expected where `log` says that it can be read."""
        log.error(
            "task %s (%s), attempt %s",
            self.task.id,
            self.task.kind,
            self.task.attempt,
            exc_info=error,
        )

    def waits(self, full: StorageFull) -> None:
        """Tell whoever follows the subject that it waits for space."""
        log.warning("%s waits: %s", self.task.subject, full.message)

    def finish(self) -> None:
        self.tw.tasks.finish(self.task)

    def fail(self, error: JobFailed) -> bool:
        """Give the task up; False where that is no longer ours to say."""
        try:
            with self.tw.catalog.transaction():
                self.tw.tasks.guard(self.task)
                self.tw.tasks.finish(self.task)
                self.failed(error)
        except (Moved, LostLease):
            return False
        return True

    def drop(self) -> None:
        """The subject is gone or has ended: nothing is left to do."""
        with contextlib.suppress(LostLease):
            self.finish()

    def give_back(self) -> None:
        with contextlib.suppress(LostLease):
            self.tw.tasks.release(self.task)

    def step_aside(self) -> None:
        """It is paused: back into the queue, where the task waits to be resumed."""
        self.give_back()

    def try_again(self, seconds: float) -> None:
        """Back into the queue after a crash; the attempt counts."""
        self.stopping.wait(seconds)
        with contextlib.suppress(LostLease):
            self.tw.tasks.retry(self.task)

    def wait_for_space(self, full: StorageFull) -> None:
        """Say so and give the task back after a while, so that the attempt does not count. Where
        the catalog itself has no space, both wait until it has."""
        while True:
            try:
                self.waits(full)
                self.stopping.wait(SPACE_SECONDS)
                return self.give_back()
            except StorageFull:
                if self.stopping.wait(SPACE_SECONDS):
                    return None
            except LostLease:
                return None

    @cached_property
    def acting(self) -> Acting:
        return self.tw.acting(self.tw.access.of_organisation(self.task.organisation))


class OnRecord(Assignment, ABC):
    """One whose subject is a record that people follow. Given up, the record fails."""

    @property
    @abstractmethod
    def progress(self) -> Progress[Any, Any]: ...

    def say(self, key: str, message: str, *, level: Level = "info", **fields: Any) -> None:
        """An event, guarded by the lease: a worker that lost its task says nothing."""
        with self.tw.catalog.transaction():
            self.tw.tasks.guard(self.task)
            self.progress.say(self.task.subject, key, message, level=level, **fields)

    def failed(self, error: JobFailed) -> None:
        self.progress.fail(self.task.subject, error)

    def waits(self, full: StorageFull) -> None:
        super().waits(full)
        self.say(f"full-{self.task.attempt}", f"Waiting: {full.message}", level="warn")
