"""The second task of a job: train in a child process, then register the model.

The child (`python -m tunewright.training FOLDER`) writes artefacts into the job's folder and
reports on its standard output; only this parent writes records, each guarded by its lease. After
a crash the task is leased again: the child goes on from its newest whole checkpoint, and what was
reported twice is recorded once.
"""

import contextlib
import datetime
import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from tunewright import durable
from tunewright.errors import JobFailed, StorageFull
from tunewright.faults import fault
from tunewright.records.jobs import Job
from tunewright.tasks import Held
from tunewright.work import gate, memory, register
from tunewright.work.assignment import Assignment
from tunewright.work.heartbeat import Heartbeat
from tunewright.work.reports import Reports


def run(assignment: Assignment) -> None:
    fault("job.leased")
    job = _begin(assignment)
    durable.make_directory(assignment.folder)
    with _only_child(assignment) as lock:
        durable.write_json(assignment.folder / "recipe.json", _recipe(assignment, job))
        reports = Reports(assignment, job)
        with _child(assignment, lock) as child:
            heartbeat = Heartbeat(
                assignment.tw.tasks, assignment.task, assignment.stopping, child.terminate
            )
            kills = memory.kills()
            with heartbeat:
                for report in _reports(child, assignment.folder / "log.txt"):
                    if report["kind"] == "written":
                        gate.wake_engine(assignment)
                    reports.take(report)
                code = child.wait()
                if heartbeat.held:
                    raise Held(f"{job.id} is paused")
                if assignment.stopping.is_set() and not reports.finished:
                    return assignment.give_back()
                _raise_if_killed_for_memory(code, kills)
                _raise_if_failed(reports, code, assignment)
                register.register(assignment, reports)
    return None


def _begin(assignment: Assignment) -> Job:
    """The job, running. Not an error if it runs already: then it resumes."""
    with assignment.tw.catalog.transaction():
        assignment.tw.tasks.guard(assignment.task)
        job = assignment.progress.move(
            assignment.job_id,
            ("queued", "running"),
            lambda j: j.model_copy(update={"status": "running"}),
        )
        assignment.progress.say(job.id, "started", "Fine-tuning job started")
    return job


def _recipe(assignment: Assignment, job: Job) -> dict[str, Any]:
    base, models = assignment.base, assignment.acting.models
    given = job.method.supervised.hyperparameters
    return {
        "base": str(models.directory(base)),
        "base_name": base.base,
        "adapter": _text(models.adapter(base)),
        "kind": base.kind,
        "rendering": base.rendering and base.rendering.wire(),
        "training_file": str(assignment.data(job.training_file)),
        "validation_file": _text(assignment.data(job.validation_file)),
        "seed": job.seed,
        "speed": str(assignment.tw.home.speed),
        "compute_dtype": assignment.tw.settings.compute_dtype,
        **given.model_dump(),
    }


def _text(path: object | None) -> str | None:
    return str(path) if path else None


@contextmanager
def _only_child(assignment: Assignment) -> Iterator[IO[bytes]]:
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
def _child(assignment: Assignment, lock: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    command = [
        sys.executable,
        "-m",
        "tunewright.training",
        str(assignment.folder),
        "--watch-stdin",
    ]
    with (assignment.folder / "log.txt").open("ab") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=(lock.fileno(),),
        )
        try:
            yield child
        finally:
            child.kill()
            child.wait()


def _reports(child: subprocess.Popen[bytes], log: Path) -> Iterator[dict[str, Any]]:
    """What the child says, which the log keeps too, among what it writes to its standard error."""
    assert child.stdout is not None
    for line in child.stdout:
        report = orjson.loads(line)
        with contextlib.suppress(OSError), log.open("a", encoding="utf-8") as file:
            file.write(_logged(report))
        yield report


def _logged(report: dict[str, Any]) -> str:
    said = [f"{name}={value}" for name, value in report.items() if value not in (None, "")]
    return f"{datetime.datetime.now().isoformat(' ', 'seconds')} {' '.join(said)}\n"


def _raise_if_killed_for_memory(code: int, kills: int) -> None:
    if code == -signal.SIGKILL and memory.kills() > kills:
        raise JobFailed(
            "The system ended the training because memory ran out. Use a smaller base, shorter "
            "examples or adaptation 'lora', or give the server more memory.",
            code="out_of_memory",
        )


def _raise_if_failed(reports: Reports, code: int, assignment: Assignment) -> None:
    if reports.failed is not None:
        if reports.failed["code"] == "storage_full":
            raise StorageFull(reports.failed["message"])
        raise JobFailed(reports.failed["message"], code=reports.failed["code"])
    if not reports.finished:
        assignment.say(
            f"crash-{assignment.task.attempt}",
            f"The training process ended unexpectedly (exit code {code}); going on from the last "
            "checkpoint",
            level="warn",
        )
        raise ChildProcessError(f"{assignment.job_id}: training ended with {code}")
