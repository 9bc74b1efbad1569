"""The second task of a job: train in a child process, then register the model.

The child (`python -m tunewright.training FOLDER`) writes artefacts into the job's folder and
reports on its standard output; only this parent writes records, each guarded by its lease. After
a crash the task is leased again: the child goes on from its newest whole checkpoint, and what was
reported twice is recorded once.
"""

import fcntl
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO

from tunewright import children, durable
from tunewright.errors import JobFailed, StorageFull
from tunewright.faults import fault
from tunewright.records.jobs import Job
from tunewright.resources.recipes import recipe
from tunewright.tasks import Held
from tunewright.training.recipe import Recipe
from tunewright.training.report import Said, Written, parsed
from tunewright.work import gate, journal, register
from tunewright.work.heartbeat import Heartbeat
from tunewright.work.on_job import OnJob
from tunewright.work.reports import Reports


class FineTune(OnJob):
    def run(self) -> None:
        fault("job.leased")
        job = _begin(self)
        durable.make_directory(self.folder)
        with _only_child(self) as lock:
            _recipe(self, job).write(self.folder)
            reports = Reports(self, job)
            with _trainer(self, lock) as child:
                heartbeat = Heartbeat(self.tw.tasks, self.task, self.stopping, child.terminate)
                kills = children.kills_for_memory()
                with heartbeat:
                    for said in _reports(child, self.folder):
                        if isinstance(said, Written):
                            gate.wake_engine(self)
                        reports.take(said)
                    code = child.wait()
                    if heartbeat.held:
                        raise Held(f"{job.id} is paused")
                    if self.stopping.is_set() and not reports.finished:
                        return self.give_back()
                    _raise_if_killed_for_memory(code, kills)
                    _raise_if_failed(reports, code, self)
                    register.register(self, reports)
        return None


def _begin(assignment: OnJob) -> Job:
    """The job, running. Not an error if it runs already: then it resumes."""
    with assignment.tw.catalog.transaction():
        assignment.tw.tasks.guard(assignment.task)
        job = assignment.progress.move(assignment.job_id, "queued", "running", status="running")
        assignment.progress.say(job.id, "started", "Fine-tuning job started")
    return job


def _recipe(assignment: OnJob, job: Job) -> Recipe:
    return recipe(
        assignment.acting.models,
        assignment.start,
        assignment.tw.home,
        assignment.tw.settings,
        training_file=assignment.data(job.training_file),
        validation_file=assignment.data(job.validation_file),
        seed=job.seed,
        **job.method.hyperparameters.model_dump(),
    )


@contextmanager
def _only_child(assignment: OnJob) -> Iterator[IO[bytes]]:
    """Waits until no other training process has this folder.

    The lock is inherited by the child and lives as long as any process that holds it: when a
    worker is killed, its child may live on for a moment, and must not write beside its successor.
    """
    with (assignment.folder / "lock").open("ab") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                assignment.tw.tasks.renew(assignment.task)
                assignment.stopping.wait(0.1)
        yield lock


@contextmanager
def _trainer(assignment: OnJob, lock: IO[bytes]) -> Iterator[children.Process]:
    command = ["-m", "tunewright.training", str(assignment.folder), "--watch-stdin"]
    with (
        (assignment.folder / journal.NAME).open("ab") as log,
        children.running(
            command, stdout=children.PIPE, stderr=log, pass_fds=(lock.fileno(),)
        ) as child,
    ):
        yield child


def _reports(child: children.Process, folder: Path) -> Iterator[Said]:
    """What the child says, which the log keeps too, among what it writes to its standard error."""
    for said in parsed(child.stdout or ()):
        journal.note(folder, {"kind": said.kind, **asdict(said)})
        yield said


def _raise_if_killed_for_memory(code: int, kills: int) -> None:
    if code == -signal.SIGKILL and children.kills_for_memory() > kills:
        raise JobFailed(
            "The system ended the training because memory ran out. Use a smaller base, shorter "
            "examples or adaptation 'lora', or give the server more memory.",
            code="out_of_memory",
        )


def _raise_if_failed(reports: Reports, code: int, assignment: OnJob) -> None:
    if reports.failed is not None:
        if reports.failed.code == "storage_full":
            raise StorageFull(reports.failed.message)
        raise JobFailed(reports.failed.message, code=reports.failed.code)
    if not reports.finished:
        assignment.say(
            f"crash-{assignment.task.attempt}",
            f"The training process ended unexpectedly (exit code {code}); going on from the last "
            "checkpoint",
            level="warn",
        )
        raise ChildProcessError(f"{assignment.job_id}: training ended with {code}")
