"""What the training child reports, as records."""

import hashlib
import time
from dataclasses import asdict
from functools import singledispatchmethod

from tunewright import names
from tunewright.artefacts import checkpoint_place
from tunewright.faults import fault
from tunewright.records.checks import Estimate
from tunewright.records.events import Level
from tunewright.records.jobs import Checkpoint, CheckpointMetrics, Hyperparameters, Job
from tunewright.records.models import Weights
from tunewright.records.record import now
from tunewright.resources.estimating import estimate_of
from tunewright.resources.naming import put_named
from tunewright.training import report
from tunewright.work.on_job import OnJob

ESTIMATE_SECONDS = 2.0
_NAMES = (
    ("train_loss", "training loss"),
    ("valid_loss", "validation loss"),
    ("full_valid_loss", "full validation loss"),
)


class Reports:
    """Takes one report after the other. `finished` and `failed` hold the last word, once said."""

    def __init__(self, assignment: OnJob, job: Job) -> None:
        self.finished: report.Finished | None = None
        self.failed: report.Failed | None = None
        self.job = job
        self._assignment = assignment
        self._estimated = 0.0
        self._expected: Estimate | None = None
        self._began = 0.0
        self._resumed_from = 0
        self._first_step: tuple[int, float] | None = None

    def take(self, said: report.Said) -> None:
        with self._assignment.tw.catalog.transaction():
            self._assignment.tw.tasks.guard(self._assignment.task)
            self._take(said)
            fault("report.taking")

    @singledispatchmethod
    def _take(self, said: report.Said) -> None:
        raise TypeError(f"nothing is done with {said}")

    @_take.register
    def _started(self, said: report.Started) -> None:
        used = said.hyperparameters
        self._resumed_from = said.resumed_from or 0
        if said.resumed_from:
            self._say(
                f"resumed-{self._assignment.task.attempt}-{said.resumed_from}",
                f"Resuming from step {said.resumed_from} of {said.total_steps}",
            )

        def effective(job: Job) -> Job:
            return job.model_copy(
                update={
                    "hyperparameters": Hyperparameters.model_validate(used),
                    "method": job.method.using(**used, **said.adapter),
                }
            )

        self._assignment.progress.move(self.job.id, "running", edit=effective)

    @_take.register
    def _forecast(self, said: report.Forecast) -> None:
        self._expected = estimate_of(said, self._assignment.tw.settings)
        self._began = time.monotonic()
        progress, finish = self._assignment.progress, now() + round(self._expected.seconds)
        data = {"estimate": self._expected.wire()}
        progress.say(self.job.id, "estimate", f"Estimate: {self._expected}", data=data)
        progress.move(self.job.id, "running", estimated_finish=finish)

    @_take.register
    def _step(self, said: report.Step) -> None:
        step, total = said.step, said.total_steps
        data = {k: v for k, v in asdict(said).items() if v is not None}
        losses = ", ".join(f"{name}={data[key]:.2f}" for key, name in _NAMES if key in data)
        self._assignment.progress.say(
            self.job.id, f"step-{step}", f"Step {step}/{total}: {losses}", type="metrics", data=data
        )
        if step > self._resumed_from:  # earlier ones are only said again
            self._estimate(step, total)

    @_take.register
    def _checkpoint(self, said: report.Checkpoint) -> None:
        step = said.step
        self._assignment.tw.tasks.advance(self._assignment.task, step)
        if said.epoch is None:  # a resume point, not a checkpoint that clients see
            return
        known = CheckpointMetrics.model_fields
        metrics = {k: v for k, v in said.metrics.items() if k in known}
        name = f"{model_name(self.job, self._assignment)}:ckpt-step-{step}"
        added = self._assignment.acting.shelf.put(
            Checkpoint(
                id=f"ftckpt_{short(self.job.id, str(step), length=24)}",
                fine_tuned_model_checkpoint=name,
                fine_tuning_job_id=self.job.id,
                metrics=CheckpointMetrics(**{**metrics, "step": step}),
                step_number=step,
            ),
            subject=self.job.id,
        )
        if added:
            put_named(self._assignment.acting.shelf, self._weights(name, step, said.path))
            self._say(f"checkpoint-{step}", f"Checkpoint created at step {step}")

    def _weights(self, name: str, step: int, path: str) -> Weights:
        """What makes a checkpoint answer under its name, from the moment that it is shown."""
        place = checkpoint_place(self.job.id, path)
        adaptation = self.job.method.hyperparameters.adaptation
        return self._assignment.start.trained(name, place, adaptation, step)

    @_take.register
    def _message(self, said: report.Message) -> None:
        self._say(f"message-{short(said.message)}", said.message, said.level)

    @_take.register
    def _planned(self, said: report.Planned) -> None:
        figures = {"tokens": said.tokens, "computed": said.computed, "shared": said.shared}
        data = {"plan": figures}
        self._assignment.progress.say(self.job.id, "plan", said.message, data=data)

    @_take.register
    def _written(self, said: report.Written) -> None:
        self._say(
            f"written-{said.step}",
            "The weights are saved. Computing the log-probabilities that the served model must "
            "reproduce",
        )

    @_take.register
    def _finished(self, said: report.Finished) -> None:
        self.finished = said
        if self._expected is not None:
            self._compare(self._expected, said)

    def _compare(self, expected: Estimate, finished: report.Finished) -> None:
        """Estimate against fact. Only where this process saw the run from its first step on."""
        settings, seconds = self._assignment.tw.settings, time.monotonic() - self._began
        fact = expected.model_copy(
            update={
                "seconds": seconds,
                "seconds_error": 0.0,
                "peak_bytes": finished.peak_bytes,
                "trained_tokens": finished.trained_tokens,
                "cost": settings.cost(seconds, finished.trained_tokens),
            }
        )
        said = f"Estimated: {expected}. In fact: {fact}"
        data = {"estimate": expected.wire(), "fact": fact.wire()}
        self._assignment.progress.say(self.job.id, "estimate-and-fact", said, data=data)

    @_take.register
    def _failed(self, said: report.Failed) -> None:
        self.failed = said

    def _say(self, key: str, message: str, level: Level = "info") -> None:
        self._assignment.say(key, message, level=level)

    def _estimate(self, step: int, total: int) -> None:
        """`estimated_finish`, from the speed of this run, at most every ESTIMATE_SECONDS."""
        clock = time.monotonic()
        if self._first_step is None:
            self._first_step = (step, clock)
            return
        if clock - self._estimated < ESTIMATE_SECONDS:
            return
        self._estimated = clock
        first, began = self._first_step
        seconds_left = (clock - began) / max(step - first, 1) * (total - step)
        finish = now() + round(seconds_left)
        self._assignment.progress.move(self.job.id, "running", estimated_finish=finish)


def model_name(job: Job, assignment: OnJob) -> str:
    """``ft:{name}:{organisation}:{suffix}:{id}`` (`resources.naming`). The id follows from the
    job's, so that a job that registers its model twice, around a crash, registers the same one."""
    suffix = names.suffix(job.user_provided_suffix) if job.user_provided_suffix else ""
    name = assignment.start.asked or assignment.start.base
    return f"ft:{name}:{assignment.acting.caller.name}:{suffix}:{short(job.id)}"


def short(*parts: str, length: int = 8) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:length]
