"""The first task of a job: are its files fit to train on? Then it is queued, else it fails."""

from tunewright.dataset.checks import Check, check
from tunewright.errors import JobFailed
from tunewright.faults import fault
from tunewright.records.jobs import Job
from tunewright.rendering import Renderer
from tunewright.work.assignment import Assignment
from tunewright.work.heartbeat import Heartbeat


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
    found = check(path, renderer, wants=wants, param=param)
    error = found.error()
    if error is not None:
        raise error
    for number, warning in enumerate(found.warnings):
        assignment.say(f"{param}-warning-{number}", warning, level="warn")
    return found


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
