"""The first task of a job: are its files fit to train on? Then it is queued, else it fails."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Literal

from tunewright import suggestions
from tunewright.dataset.checks import Check, Checking
from tunewright.dataset.reasoning import for_rows
from tunewright.errors import JobFailed
from tunewright.faults import fault
from tunewright.records.findings import Finding, Severity
from tunewright.records.jobs import Job
from tunewright.records.models import Start
from tunewright.records.template_kwargs import Rendering
from tunewright.rendering import Renderer
from tunewright.work import journal
from tunewright.work.heartbeat import Heartbeat
from tunewright.work.on_job import OnJob
from tunewright.work.turn import Turn

MOST_EVENTS = 50  # errors of a file that become events
_LEVELS: dict[Severity, Literal["info", "warn", "error"]] = {
    "error": "error",
    "warning": "warn",
    "advice": "info",
}


class CheckFiles(OnJob):
    """Check a job's files, for as long as it is its organisation's turn: then it waits in the queue
    with what it has found, for nobody's file must hold up everybody's."""

    def run(self) -> None:
        tasks, task = self.tw.tasks, self.task
        heartbeat = Heartbeat(tasks, task, self.stopping, lambda: None)
        with heartbeat:
            job = self.acting.jobs.retrieve(self.job_id)
            also = f" and validation file: {job.validation_file}" if job.validation_file else ""
            self.say("validating", f"Validating training file: {job.training_file}{also}")
            files = self.begun.pop(task.id, None) or list(_files(self, job))
            done = _go_on(self, files, Turn(tasks, task, heartbeat))
        if done:
            return _queue(self)
        tasks.renew(task)  # raises where the job was cancelled or paused
        if self.stopping.is_set():
            return self.give_back()
        self.begun[task.id] = files
        return tasks.pass_on(task)


def _files(assignment: OnJob, job: Job) -> Iterator[tuple[str, Checking]]:
    renderer = _renderer(assignment, job)
    wants = "chat" if renderer.is_chat else "completion"
    cut = assignment.tw.settings.long_examples == "cut"
    for param, file in (
        ("training_file", job.training_file),
        ("validation_file", job.validation_file),
    ):
        path = assignment.data(file)
        if file and path:
            suggest = partial(
                suggestions.prepare,
                assignment.acting.files.retrieve(file).filename,
                model=job.model,
            )
            yield file, Checking(path, renderer, wants=wants, param=param, cut=cut, suggest=suggest)


def _renderer(assignment: OnJob, job: Job) -> Renderer:
    """The one that training and its model will use; recorded with what the job starts from, so
    that all that comes of the job has it."""
    start = assignment.start
    own = start.rendering.kwargs if start.rendering else {}
    date = datetime.fromtimestamp(job.created_at).isoformat()
    asked = Rendering(kwargs={**own, **(job.chat_template_kwargs or {})}, date=date)
    given = start.model_copy(update={"rendering": asked})
    renderer = assignment.tw.renderer(given, assignment.acting.models)
    path = assignment.data(job.training_file)
    if path and path.is_file():
        renderer = for_rows(path, renderer)
    _record(assignment, Rendering(kwargs=dict(renderer.kwargs), date=date), asked)
    return renderer


def _record(assignment: OnJob, used: Rendering, asked: Rendering) -> None:
    shelf, progress, job = assignment.acting.shelf, assignment.progress, assignment.job_id
    with assignment.tw.catalog.transaction():
        assignment.tw.tasks.guard(assignment.task)
        shelf.change(Start, job, lambda it: it.model_copy(update={"rendering": used}))
        if used.kwargs:
            progress.move(job, "validating_files", chat_template_kwargs=used.kwargs)
        if used.kwargs != asked.kwargs:
            text = ", ".join(f"{name} {value}" for name, value in used.kwargs.items()).lower()
            what = (
                f"Some answers contain reasoning: all rows are rendered with {text}, and the tuned "
                "model will be asked in the same way"
            )
            progress.say(job, "reasoning", what)


def _go_on(assignment: OnJob, files: list[tuple[str, Checking]], turn: Turn) -> bool:
    """Whether all files have been read and are fit; `files`: those that have not. Raises JobFailed
    for one that is not fit."""
    while files:
        id, file = files[0]
        try:
            if not file.go_on(turn.is_over):
                return False
        except FileNotFoundError:
            param = file.found.param
            raise JobFailed(f"{id} has been deleted.", code="file_not_found", param=param) from None
        _tell(assignment, file.found)
        if error := file.found.error():
            raise error
        del files[0]
    return True


def _tell(assignment: OnJob, found: Check) -> None:
    """What was found, as events, all of it at once or nothing."""
    param = found.param
    findings, more = found.first(MOST_EVENTS)
    with assignment.tw.catalog.transaction():
        assignment.tw.tasks.guard(assignment.task)
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
    _keep(assignment, found, findings)


def _keep(assignment: OnJob, found: Check, findings: Sequence[Finding]) -> None:
    counts = {"rows": found.rows, "examples": found.examples, "bad": found.bad}
    journal.note(assignment.folder, {"kind": "checked", "file": found.param, **counts})
    for finding in findings:
        said = {"kind": finding.severity, "file": found.param, "code": finding.code}
        journal.note(assignment.folder, {**said, "message": str(finding)})


def _said(finding: Finding, param: str) -> str:
    """Without the excerpt: events last longer than the file does."""
    return f"{param.replace('_', ' ').capitalize()}: {finding}"


def _queue(assignment: OnJob) -> None:
    job, tw = assignment.job_id, assignment.tw
    with tw.catalog.transaction():
        held = tw.tasks.held(job)  # paused while it was checked: it waits before its training
        tw.tasks.finish(assignment.task)
        assignment.progress.move(job, "validating_files", status="queued")
        assignment.progress.say(job, "queued", "Files validated, moving job to queued state")
        fault("check.queueing")
        tw.tasks.enqueue("fine-tune", job, assignment.task.organisation, held=held)
