"""The first task of a job: are its files fit to train on? Then it is queued, else it fails."""

from typing import Literal

from tunewright.dataset.checks import Check, check
from tunewright.errors import JobFailed
from tunewright.faults import fault
from tunewright.records.findings import Finding, Severity
from tunewright.records.jobs import Job
from tunewright.rendering import Renderer
from tunewright.work.assignment import Assignment
from tunewright.work.heartbeat import Heartbeat

MOST_EVENTS = 50  # errors of a file that become events
_LEVELS: dict[Severity, Literal["info", "warn", "error"]] = {
    "error": "error",
    "warning": "warn",
    "advice": "info",
}


def run(assignment: Assignment) -> None:
    with Heartbeat(assignment.tw.tasks, assignment.task, assignment.stopping, lambda: None):
        job = assignment.acting.jobs.retrieve(assignment.job_id)
        also = f" and validation file: {job.validation_file}" if job.validation_file else ""
        assignment.say("validating", f"Validating training file: {job.training_file}{also}")
        renderer = assignment.tw.renderer(assignment.base, assignment.acting.models)
        _check(assignment, renderer, job.training_file, "training_file")
        if job.validation_file:
            _check(assignment, renderer, job.validation_file, "validation_file")
    _queue(assignment)


def _check(assignment: Assignment, renderer: Renderer, file: str, param: str) -> Check:
    path = assignment.data(file)
    if path is None or not path.is_file():
        raise JobFailed(f"{file} has been deleted.", code="file_not_found", param=param)
    wants = "chat" if renderer.is_chat else "completion"
    cut = assignment.tw.settings.long_examples == "cut"
    found = check(path, renderer, wants=wants, param=param, cut=cut)
    _tell(assignment, found, param)
    error = found.error()
    if error is not None:
        raise error
    return found


def _tell(assignment: Assignment, found: Check, param: str) -> None:
    """What was found, as events, all of it at once or nothing."""
    with assignment.tw.catalog.transaction():
        assignment.tw.tasks.guard(assignment.task)
        findings, more = found.first(MOST_EVENTS)
        for number, finding in enumerate(findings):
            assignment.progress.say(
                assignment.job_id,
                f"{param}-finding-{number}",
                _said(finding, param),
                level=_LEVELS[finding.severity],
                data={"finding": finding.wire() | {"param": param, "excerpt": ""}},
            )
        if more:
            what = f"{more:,} more errors: tunewright check FILE shows them, as does "
            assignment.progress.say(
                assignment.job_id, f"{param}-more", f"{what}POST /v1/files/ID/check", level="warn"
            )


def _said(finding: Finding, param: str) -> str:
    """Without the excerpt: events last longer than the file does."""
    return f"{param.replace('_', ' ').capitalize()}: {finding}"


def _queue(assignment: Assignment) -> None:
    job, tw = assignment.job_id, assignment.tw
    with tw.catalog.transaction():
        held = tw.tasks.held(job)  # paused while it was checked: it waits before its training
        tw.tasks.finish(assignment.task)
        assignment.progress.move(job, ("validating_files",), _queued)
        assignment.progress.say(job, "queued", "Files validated, moving job to queued state")
        fault("check.queueing")
        tw.tasks.enqueue("fine-tune", "train", job, assignment.task.organisation, held=held)


def _queued(job: Job) -> Job:
    return job.model_copy(update={"status": "queued"})
