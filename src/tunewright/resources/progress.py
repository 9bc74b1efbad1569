"""How a job moves and what it says on the way. Used by the jobs resource and by the worker."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

from tunewright.catalog.catalog import Shelf
from tunewright.errors import JobFailed
from tunewright.records.jobs import ENDED, OPEN, Event, Job, JobError, Status
from tunewright.records.models import Start
from tunewright.records.record import Record, now
from tunewright.resources.removals import Removals


class Moved(Exception):
    """The job is no longer in a status that this step may leave (it was cancelled, say)."""


R = TypeVar("R", bound=Record)


def move(shelf: Shelf, kind: type[R], id: str, leaving: Sequence[str], **update: object) -> R:
    """Change a record that is in one of these statuses. Raises Moved otherwise."""

    def guarded(record: R) -> R:
        status: Any = getattr(record, "status")  # noqa: B009
        if status not in leaving:
            raise Moved(f"{id} is {status}")
        return record.model_copy(update=update)

    changed = shelf.change(kind, id, guarded)
    if changed is None:
        raise Moved(f"{id} is gone")
    return changed


class Progress:
    def __init__(self, shelf: Shelf, removals: Removals) -> None:
        self._shelf = shelf
        self._removals = removals

    def say(
        self,
        job: str,
        key: str,
        message: str,
        *,
        level: Literal["info", "warn", "error"] = "info",
        metrics: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        """Add an event, once: `key` names it within the job, and saying it again does nothing.

        So a job that resumes after a crash can repeat what it is not sure to have said.
        """
        digest = hashlib.sha256(f"{job}/{key}".encode()).hexdigest()[:24]
        event = Event(
            id=f"ftevent-{digest}",
            level=level,
            message=message,
            type="metrics" if metrics else "message",
            data=metrics or data or {},
        )
        self._shelf.put(event, subject=job)

    def move(self, job: str, leaving: tuple[Status, ...], edit: Callable[[Job], Job]) -> Job:
        """Change a job that is in one of the statuses `leaving`; raises Moved otherwise. With its
        end goes what it started from: a base that was deleted need not stay for it."""

        def guarded(current: Job) -> Job:
            if current.status not in leaving:
                raise Moved(f"{job} is {current.status}")
            return edit(current)

        with self._shelf.catalog.transaction():
            changed = self._shelf.change(Job, job, guarded)
            if changed is None:
                raise Moved(f"{job} is gone")
            if changed.status in ENDED and (start := self._shelf.get(Start, job)):
                self._shelf.delete(Start, job)
                self._removals.order_start(start)
        return changed

    def fail(self, job: str, error: JobFailed) -> None:
        """End a job that has not ended, with OpenAI's error object and an event."""
        why = JobError(code=error.code or "error", message=error.message, param=error.param)
        with self._shelf.catalog.transaction():
            self.move(
                job,
                OPEN,
                lambda j: j.model_copy(
                    update={
                        "status": "failed",
                        "error": why,
                        "finished_at": now(),
                        "estimated_finish": None,
                    }
                ),
            )
            self.say(job, "failed", f"The job failed: {error.message}", level="error")
