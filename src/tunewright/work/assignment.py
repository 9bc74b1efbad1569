"""One leased task with what is needed to do it, and the ways it can end."""

import contextlib
import logging
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tunewright.app import Acting, Tunewright
from tunewright.errors import JobFailed, StorageFull
from tunewright.records.jobs import OPEN, Job
from tunewright.records.models import Weights
from tunewright.resources.progress import Moved, Progress
from tunewright.tasks import LostLease, Task

log = logging.getLogger(__name__)

SPACE_SECONDS = 10.0
"""How long a job waits before it looks again whether the disk has space."""


@dataclass(frozen=True)
class Assignment:
    """`begun`: what an earlier turn of a task has left half done, by the task's id: to go on with,
    should this worker get it again."""

    tw: Tunewright
    task: Task
    stopping: threading.Event
    begun: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def acting(self) -> Acting:
        return self.tw.acting(self.tw.access.of_organisation(self.task.organisation))

    @cached_property
    def progress(self) -> Progress:
        return Progress(self.acting.shelf)

    @property
    def job_id(self) -> str:
        return self.task.subject

    @property
    def folder(self) -> Path:
        return self.tw.home.job(self.job_id)

    @cached_property
    def base(self) -> Weights:
        """What the job starts from, as it was when the job was made: a base, whatever its name
        stands for by now, or a tuned model, in files of the job's own (`resources.starting`)."""
        found = self.acting.shelf.get(Weights, self.job_id)
        if found is None:
            raise Moved(f"{self.job_id} has no base")
        return found

    def data(self, file: str | None) -> Path | None:
        return self.tw.blobs.path(file) if file else None

    def say(self, key: str, message: str, *, level: str = "info") -> None:
        """An event, guarded by the lease: a worker that lost its task says nothing."""
        with self.tw.catalog.transaction():
            self.tw.tasks.guard(self.task)
            self.progress.say(self.job_id, key, message, level=level)  # pyright: ignore[reportArgumentType]

    def finish(self) -> None:
        self.tw.tasks.finish(self.task)

    def fail(self, error: JobFailed) -> None:
        with contextlib.suppress(Moved, LostLease), self.tw.catalog.transaction():
            self.tw.tasks.guard(self.task)
            self.tw.tasks.finish(self.task)
            self.progress.fail(self.job_id, error)

    def drop(self) -> None:
        """The job is gone or has ended: nothing is left to do."""
        with contextlib.suppress(LostLease):
            self.finish()

    def give_back(self) -> None:
        with contextlib.suppress(LostLease):
            self.tw.tasks.release(self.task)

    def step_aside(self) -> None:
        """The job is paused: back into the queue, where the task waits to be resumed."""
        with contextlib.suppress(Moved, LostLease), self.tw.catalog.transaction():
            self.tw.tasks.release(self.task)
            self.progress.move(self.job_id, OPEN, _waiting)

    def try_again(self, seconds: float) -> None:
        """Back into the queue after a crash; the attempt counts."""
        self.stopping.wait(seconds)
        with contextlib.suppress(LostLease):
            self.tw.tasks.retry(self.task)

    def wait_for_space(self, full: StorageFull) -> None:
        """Say so and give the task back after a while, so that the attempt does not count. Where
        the catalog itself has no space, both wait until it has."""
        log.warning("%s waits: %s", self.task.subject, full.message)
        while True:
            try:
                self.say(f"full-{self.task.attempt}", f"Waiting: {full.message}", level="warn")
                self.stopping.wait(SPACE_SECONDS)
                return self.give_back()
            except StorageFull:
                if self.stopping.wait(SPACE_SECONDS):
                    return None
            except LostLease:
                return None


def _waiting(job: Job) -> Job:
    status = "queued" if job.status == "running" else job.status
    return job.model_copy(update={"status": status, "estimated_finish": None})
