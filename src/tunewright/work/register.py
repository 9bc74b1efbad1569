"""The end of a job: weights into the home, the parity gate, the records, in this order."""

import contextlib
import csv
import io
from typing import Any

from tunewright import durable
from tunewright.artefacts import model_place, start_place
from tunewright.errors import JobFailed, TunewrightError
from tunewright.faults import fault
from tunewright.records.jobs import Event, Job
from tunewright.records.models import Model, Weights
from tunewright.records.record import now
from tunewright.resources.files import put_result
from tunewright.resources.naming import put_named
from tunewright.tasks import Held
from tunewright.work import gate, parity
from tunewright.work.on_job import OnJob
from tunewright.work.reports import Reports, model_name, short


def register(assignment: OnJob, reports: Reports) -> None:
    """Make the model answer, then say so: the job succeeds only after the parity gate.

    Every step can be repeated: after a crash in between, all of it runs again.
    """
    job = reports.job
    fault("registration.begun")
    weights = _keep_weights(assignment, job)
    fault("registration.moved")
    verdict = gate.check(assignment, weights)
    if verdict.failure:
        with assignment.tw.catalog.transaction():
            assignment.tw.tasks.guard(assignment.task)
            # They would be served as the model would be, so they do not answer either.
            assignment.acting.models.withdraw_checkpoints(job.id)
        raise JobFailed(
            f"The served model does not agree with the trained one: {verdict.failure}. The "
            f"weights are kept in {weights.directory}.",
            code="parity_failed",
        )
    result = _result_file(assignment, job)
    fault("registration.recording")
    assert reports.finished is not None
    _succeed(assignment, weights, result, reports.finished.trained_tokens, verdict)
    fault("registration.done")
    _tidy(assignment, weights)


def _tidy(assignment: OnJob, weights: Weights) -> None:
    """Remove what only a running job needs. An adapter still needs the weights that it is for."""
    artefacts, job = assignment.tw.artefacts, assignment.job_id
    needed = weights.adaptation == "lora" and artefacts.exists(start_place(job, "base"))
    durable.remove(assignment.folder / "resume")
    artefacts.remove(start_place(job, "adapter" if needed else None))
    if assignment.start.adaptation == "lora":  # known to the engine under the job's id
        with contextlib.suppress(TunewrightError):
            assignment.tw.engine.unload(job)
    durable.remove(assignment.folder / "parity.json")  # rows of the data, as token ids


def _keep_weights(assignment: OnJob, job: Job) -> Weights:
    artefacts, place = assignment.tw.artefacts, model_place(short(job.id, length=24))
    trained = assignment.folder / "model"
    if not artefacts.exists(place):
        durable.verify(trained)
    artefacts.publish(trained, place)
    return assignment.start.trained(
        model_name(job, assignment),
        place,
        job.method.hyperparameters.adaptation,
    )


def _result_file(assignment: OnJob, job: Job) -> str:
    events = assignment.acting.shelf.all(Event, subject=job.id)
    data = result_csv([event.data for event in events if event.type == "metrics"])
    id = f"file-{short(job.id, 'result', length=24)}"
    put_result(assignment.acting.shelf, assignment.tw.blobs, id, "step_metrics.csv", data)
    return id


def result_csv(steps: list[dict[str, Any]]) -> bytes:
    """OpenAI's columns; a cell is empty where nothing was measured at that step."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["step", "train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy"]
    )
    for step in sorted(steps, key=lambda step: step["step"]):
        numbers = (
            step.get("train_loss"),
            step.get("train_mean_token_accuracy"),
            step.get("full_valid_loss", step.get("valid_loss")),
            step.get("full_valid_mean_token_accuracy", step.get("valid_mean_token_accuracy")),
        )
        writer.writerow(
            [step["step"], *("" if number is None else f"{number:.5f}" for number in numbers)]
        )
    return out.getvalue().encode()


def _succeed(
    assignment: OnJob,
    weights: Weights,
    result: str,
    trained_tokens: int,
    verdict: parity.Verdict,
) -> None:
    tw, shelf, progress = assignment.tw, assignment.acting.shelf, assignment.progress
    job, name = assignment.job_id, weights.id
    with tw.catalog.transaction():
        if tw.tasks.held(job):
            raise Held(f"{job} is paused")
        tw.tasks.finish(assignment.task)
        progress.move(
            job,
            "running",
            status="succeeded",
            fine_tuned_model=name,
            finished_at=now(),
            result_files=[result],
            trained_tokens=trained_tokens,
        )
        shelf.put(Model(id=name, owned_by=assignment.acting.caller.name))
        put_named(shelf, weights)
        if verdict.unchanged:
            progress.say(job, "unchanged", "The tuning had no measurable effect", level="warn")
        progress.say(job, "model", f"New fine-tuned model created: {name}")
        fault("registration.inside")
        progress.say(job, "succeeded", "The job has successfully completed")
