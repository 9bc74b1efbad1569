"""Fine-tuning jobs, as a client sees them. What moves them on is in `work/`."""

from collections.abc import Iterator
from typing import Any

from tunewright.access import Caller
from tunewright.catalog.catalog import Shelf
from tunewright.errors import BadRequest, NotFound
from tunewright.records.jobs import (
    ENDED,
    OPEN,
    Checkpoint,
    Event,
    Job,
)
from tunewright.records.pages import (
    CheckpointPageRequest,
    Deleted,
    JobPageRequest,
    Page,
)
from tunewright.records.record import new_id, now
from tunewright.resources.job_drafts import JobDraft, JobDrafts
from tunewright.resources.models import Models
from tunewright.resources.progress import JobProgress, Moved
from tunewright.resources.removals import Removals
from tunewright.tasks import Tasks


class Jobs:
    def __init__(
        self,
        caller: Caller,
        shelf: Shelf,
        models: Models,
        tasks: Tasks,
        removals: Removals,
        drafts: JobDrafts,
    ) -> None:
        self._caller = caller
        self._shelf = shelf
        self._models = models
        self._tasks = tasks
        self._removals = removals
        self._progress = JobProgress(shelf, removals)
        self._drafts = drafts

    def create(self, /, **given: Any) -> Job:
        """Accept a job (the fields of `JobRequest`); its files are checked before it is queued.

        Raises BadRequest for an unknown file or a model that cannot be tuned, Busy or QuotaExceeded
        where the organisation may have no more.
        """
        self._drafts.quota.admit()
        draft = self.draft(given)
        try:
            draft.seal()
            return draft.publish()
        finally:
            draft.close()

    def draft(self, given: dict[str, Any]) -> JobDraft:
        """What `create` does, step by step."""
        return self._drafts.draft(given)

    def list(self, /, **given: Any) -> Page[Job]:
        """Newest first. `given`: the fields of `JobPageRequest`."""
        query: JobPageRequest = JobPageRequest.parse(given)
        return self._shelf.page(Job, after=query.after, limit=query.limit, metadata=query.metadata)

    def retrieve(self, id: str) -> Job:
        found = self._shelf.get(Job, id)
        if found is None:
            raise NotFound(
                f"Could not find fine tune: {id}", param="fine_tune_id", code="fine_tune_not_found"
            )
        return found

    def cancel(self, id: str) -> Job:
        """End a job that has not ended. What it has written so far stays in its folder."""
        with self._shelf.catalog.transaction():
            self.retrieve(id)
            try:
                job = self._progress.move(id, status="cancelled", finished_at=now())
            except Moved as moved:
                raise _wrong_status(f"Job has already completed: {moved}.") from None
            self._progress.say(id, "cancelled", "Fine-tuning job cancelled")
            self._tasks.cancel(id)
        return job

    def pause(self, id: str) -> Job:
        """Stop working on a job until it is resumed; the lane is free for the next one.

        A trainer saves first, and the job is `queued` as soon as it has: the wire knows no status
        of its own for this. Raises BadRequest where the job has ended or is paused.
        """
        return self._hold(id, True)

    def resume(self, id: str) -> Job:
        """Let a paused job go on from where it stopped. Raises BadRequest for any other."""
        return self._hold(id, False)

    def _hold(self, id: str, held: bool) -> Job:
        done = "paused" if held else "resumed"
        with self._shelf.catalog.transaction():
            job = self.retrieve(id)
            if job.status not in OPEN:
                raise _wrong_status(f"Job has already completed: {id} is {job.status}.")
            if self._tasks.held(id) == held:
                raise _wrong_status(f"{id} is {'paused already' if held else 'not paused'}.")
            self._tasks.hold(id, held)
            if held:  # nobody knows when it will finish
                job = self._progress.move(id, estimated_finish=None)
            self._progress.say(id, new_id(f"{done}-"), f"Fine-tuning job {done}")
        return job

    def delete(self, id: str) -> Deleted:
        """Forget a job that has ended, with its events, checkpoints and folder: for owners. Its
        model and its files stay; they are deleted by their own names."""
        with self._shelf.catalog.transaction():
            job = self.retrieve(id)
            self._caller.require_owner()
            if job.status not in ENDED:
                raise BadRequest(
                    f"{id} has not ended ({job.status}). Cancel it first.",
                    param="fine_tune_id",
                    code="invalid_job_status",
                )
            for kind in (Event, Checkpoint):
                self._shelf.clear(kind, id)
            self._models.withdraw_checkpoints(id)
            self._shelf.delete(Job, id)
            self._removals.order_job(id)
        self._removals.carry_out("remove-job", id)
        return Deleted(id=id, object="fine_tuning.job")

    def events(self, id: str, /, **given: Any) -> Page[Event]:
        """Newest first, as OpenAI's. `given`: the fields of `PageRequest`."""
        self.retrieve(id)
        return self._progress.page(id, given)

    def checkpoints(self, id: str, /, **given: Any) -> Page[Checkpoint]:
        query: CheckpointPageRequest = CheckpointPageRequest.parse(given)
        self.retrieve(id)
        return self._shelf.page(Checkpoint, after=query.after, limit=query.limit, subject=id)

    def follow(self, id: str, *, seconds: float = 0.5) -> Iterator[Event]:
        """Every event, oldest first, as they happen, until the job has ended."""
        return self._progress.follow(lambda: self.retrieve(id), id, seconds=seconds)

    def wait(self, id: str) -> Job:
        """The job, once it has ended."""
        for _ in self.follow(id):
            pass
        return self.retrieve(id)


def _wrong_status(message: str) -> BadRequest:
    return BadRequest(message, param="fine_tune_id", code="invalid_job_status")
