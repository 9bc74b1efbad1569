"""How a record that is worked on moves, what it says on the way, and how both are followed."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from tunewright.catalog.catalog import Shelf
from tunewright.errors import JobFailed
from tunewright.records.events import Level, RecordEvent
from tunewright.records.jobs import ENDED, OPEN, Event, Job, JobError
from tunewright.records.models import Start
from tunewright.records.pages import Page, PageRequest
from tunewright.records.record import Record, now
from tunewright.resources.removals import Removals

R = TypeVar("R", bound=Record)
E = TypeVar("E", bound=RecordEvent)


class Moved(Exception):
    """The record is no longer in a status that this step may leave (it was cancelled, say)."""


def move(
    shelf: Shelf,
    kind: type[R],
    id: str,
    leaving: Sequence[str],
    edit: Callable[[R], R] = lambda record: record,
    **update: object,
) -> R:
    """Change a record that is in one of these statuses. Raises Moved otherwise."""

    def guarded(record: R) -> R:
        if (status := _status(record)) not in leaving:
            raise Moved(f"{id} is {status}")
        return edit(record).model_copy(update=update)

    changed = shelf.change(kind, id, guarded)
    if changed is None:
        raise Moved(f"{id} is gone")
    return changed


def changes(retrieve: Callable[[], R], open: Sequence[str], *, seconds: float) -> Iterator[R]:
    """A record whenever it has changed, until its status is none of `open`; it is looked at every
    so many `seconds`."""
    last: R | None = None
    while last is None or _status(last) in open:
        found = retrieve()
        if found != last:
            yield found
        else:
            time.sleep(seconds)
        last = found


def _status(record: Record) -> Any:
    return getattr(record, "status")  # noqa: B009


class Progress(Generic[R, E]):
    """The records of one kind in one organisation, and their events.

    open: the statuses of one that has not ended. called: what messages call one.
    """

    def __init__(
        self, shelf: Shelf, kind: type[R], event: type[E], open: Sequence[str], called: str
    ) -> None:
        self._shelf = shelf
        self._kind = kind
        self._event = event
        self._open = open
        self._called = called

    def say(
        self,
        id: str,
        key: str,
        message: str,
        *,
        level: Level = "info",
        **fields: Any,
    ) -> None:
        """Add an event, once: `key` names it within the record, and saying it again does nothing.

        So what goes on after a crash can repeat what it is not sure to have said.
        """
        self._shelf.put(self._event.of(id, key, message, level=level, **fields), subject=id)

    def move(
        self, id: str, *leaving: str, edit: Callable[[R], R] = lambda record: record, **update: Any
    ) -> R:
        """Change a record that is in one of these statuses; where none is named, one that has not
        ended. Raises Moved otherwise."""
        return move(self._shelf, self._kind, id, leaving or self._open, edit, **update)

    def fail(self, id: str, error: JobFailed) -> None:
        """End a record that has not ended, with OpenAI's error object and an event."""
        why = JobError(code=error.code or "error", message=error.message, param=error.param)
        with self._shelf.catalog.transaction():
            self.move(id, status="failed", error=why, finished_at=now())
            said = f"The {self._called} failed: {error.message}"
            self.say(id, "failed", said, level="error")

    def page(self, id: str, given: dict[str, Any]) -> Page[E]:
        """Events of a record, newest first. `given`: the fields of `PageRequest`."""
        query: PageRequest = PageRequest.parse(given)
        return self._shelf.page(self._event, after=query.after, limit=query.limit, subject=id)

    def follow(self, retrieve: Callable[[], R], id: str, *, seconds: float) -> Iterator[E]:
        """Every event of a record, oldest first, as they happen, until it has ended."""
        last: str | None = None
        while True:
            ended = _status(retrieve()) not in self._open
            page = self._shelf.page(
                self._event, after=last, limit=1000, newest_first=False, subject=id
            )
            yield from page.data
            last = page.last_id or last
            if ended and not page.data:
                return
            if not page.has_more and not ended:
                time.sleep(seconds)


class JobProgress(Progress[Job, Event]):
    """With the end of a job goes what it started from: a base that was deleted need not stay."""

    def __init__(self, shelf: Shelf, removals: Removals) -> None:
        super().__init__(shelf, Job, Event, OPEN, "job")
        self._removals = removals

    def move(
        self, id: str, *leaving: str, edit: Callable[[Job], Job] = lambda job: job, **update: Any
    ) -> Job:
        if update.get("status") in ENDED:
            update["estimated_finish"] = None
        with self._shelf.catalog.transaction():
            job = super().move(id, *leaving, edit=edit, **update)
            if job.status in ENDED and (start := self._shelf.get(Start, id)):
                self._shelf.delete(Start, id)
                self._removals.order_start(start)
        return job
