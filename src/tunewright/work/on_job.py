"""A task whose subject is a fine-tuning job."""

import contextlib
from abc import ABC
from functools import cached_property
from pathlib import Path

from tunewright.errors import JobFailed
from tunewright.records.jobs import Job
from tunewright.records.models import Start
from tunewright.resources.progress import JobProgress, Moved
from tunewright.tasks import LostLease
from tunewright.work import journal
from tunewright.work.assignment import OnRecord


class OnJob(OnRecord, ABC):
    """Given up, the job fails; paused, it waits in the queue; its events say what happens."""

    called = "The job"

    @property
    def job_id(self) -> str:
        return self.task.subject

    @property
    def folder(self) -> Path:
        return self.tw.home.job(self.job_id)

    @property
    def log(self) -> str:
        return f"jobs/{self.job_id}/{journal.NAME}"

    @property
    def progress(self) -> JobProgress:
        return JobProgress(self.acting.shelf, self.acting.removals)

    @cached_property
    def start(self) -> Start:
        """What the job starts from, as it was when the job was made: a base, whatever its name
        stands for by now, or a tuned model, in files of the job's own (`resources.starting`)."""
        found = self.acting.shelf.get(Start, self.job_id)
        if found is None:
            raise Moved(f"{self.job_id} has no start")
        return found

    def data(self, file: str | None) -> Path | None:
        return self.tw.blobs.path(file) if file else None

    def fail(self, error: JobFailed) -> bool:
        if failed := super().fail(error):
            said = {"kind": "failed", "code": error.code, "message": error.message}
            journal.note(self.folder, said)
        return failed

    def crashed(self, error: Exception) -> None:
        super().crashed(error)
        journal.note_crash(self.folder, self.task.kind, error)

    def step_aside(self) -> None:
        with contextlib.suppress(Moved, LostLease), self.tw.catalog.transaction():
            self.tw.tasks.release(self.task)
            self.progress.move(self.job_id, edit=_waiting)


def _waiting(job: Job) -> Job:
    status = "queued" if job.status == "running" else job.status
    return job.model_copy(update={"status": status, "estimated_finish": None})
