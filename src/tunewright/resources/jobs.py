"""Fine-tuning jobs, as a client sees them. What moves them on is in `work/`."""

import importlib.util
import secrets
import time
from collections.abc import Iterator
from typing import Any, Literal

from tunewright import names
from tunewright.access import Caller
from tunewright.catalog.catalog import Shelf
from tunewright.errors import BadRequest, MissingExtra, NotFound
from tunewright.faults import fault
from tunewright.home import Home
from tunewright.records.files import File
from tunewright.records.jobs import (
    ENDED,
    OPEN,
    Checkpoint,
    Event,
    Hyperparameters,
    Job,
    JobRequest,
    JobSpec,
)
from tunewright.records.models import Weights
from tunewright.records.pages import (
    CheckpointPageRequest,
    Deleted,
    JobPageRequest,
    Page,
    PageRequest,
)
from tunewright.records.record import new_id, now
from tunewright.resources import starting
from tunewright.resources.models import Models
from tunewright.resources.naming import answering, asked_part
from tunewright.resources.progress import Moved, Progress
from tunewright.resources.removals import Removals
from tunewright.tasks import Tasks


class Jobs:
    def __init__(
        self,
        caller: Caller,
        shelf: Shelf,
        models: Models,
        tasks: Tasks,
        home: Home,
        removals: Removals,
        tuned_names: Literal["asked", "base"],
    ) -> None:
        self._caller = caller
        self._shelf = shelf
        self._models = models
        self._tasks = tasks
        self._home = home
        self._removals = removals
        self._by_asked = tuned_names == "asked"
        self._progress = Progress(shelf)

    def create(self, /, **given: Any) -> Job:
        """Accept a job (the fields of `JobRequest`); its files are checked before it is queued.

        Raises BadRequest for an unknown file or a model that cannot be tuned.
        """
        request: JobRequest = JobRequest.parse(given)
        _need_training()
        parent = self._tunable(request.model)
        self._training_data(request.training_file, "training_file")
        if request.validation_file:
            self._training_data(request.validation_file, "validation_file")
        if request.suffix is not None:
            names.suffix(request.suffix)
        try:
            return self._add(self._new(request, parent), parent, request.model)
        except FileNotFoundError:  # deleted at this very moment
            raise self._not_tunable(request.model) from None

    def _add(self, job: Job, parent: Weights, asked: str) -> Job:
        named = asked_part(asked) if self._by_asked else None
        try:
            with self._shelf.catalog.transaction():
                self._shelf.put(job)
                self._shelf.put(starting.keep(self._home, parent, job.id, named))
                self._progress.say(job.id, "created", f"Created fine-tuning job: {job.id}")
                self._say_what_answers(job, parent, asked)
                self._tasks.enqueue("check", "cpu", job.id, self._caller.organisation)
                fault("job.creating")
        except BaseException:
            starting.drop(self._home, job.id)
            raise
        return job

    def _say_what_answers(self, job: Job, parent: Weights, asked: str) -> None:
        model, warning = answering(asked, parent)
        if model == asked:
            return
        said = warning or f"Answered by {model}."
        self._progress.say(
            job.id,
            "base",
            f"{asked}: {said[0].lower()}{said[1:]}",
            level="warn" if warning else "info",
            data={"base": parent.base},
        )

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
                job = self._progress.move(
                    id,
                    OPEN,
                    lambda j: j.model_copy(
                        update={
                            "status": "cancelled",
                            "finished_at": now(),
                            "estimated_finish": None,
                        }
                    ),
                )
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
                job = self._progress.move(id, OPEN, _without_estimate)
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
            self._shelf.delete(Weights, id)
            self._shelf.delete(Job, id)
            self._removals.order(id)
        self._removals.carry_out(id)
        return Deleted(id=id, object="fine_tuning.job")

    def events(self, id: str, /, **given: Any) -> Page[Event]:
        """Newest first, as OpenAI's. `given`: the fields of `PageRequest`."""
        query: PageRequest = PageRequest.parse(given)
        self.retrieve(id)
        return self._shelf.page(Event, after=query.after, limit=query.limit, subject=id)

    def checkpoints(self, id: str, /, **given: Any) -> Page[Checkpoint]:
        query: CheckpointPageRequest = CheckpointPageRequest.parse(given)
        self.retrieve(id)
        return self._shelf.page(Checkpoint, after=query.after, limit=query.limit, subject=id)

    def follow(self, id: str, *, seconds: float = 0.5) -> Iterator[Event]:
        """Every event, oldest first, as they happen, until the job has ended."""
        last: str | None = None
        while True:
            ended = self.retrieve(id).status in ENDED
            page = self._shelf.page(Event, after=last, limit=1000, newest_first=False, subject=id)
            yield from page.data
            last = page.last_id or last
            if ended and not page.data:
                return
            if not page.has_more and not ended:
                time.sleep(seconds)

    def wait(self, id: str) -> Job:
        """The job, once it has ended."""
        for _ in self.follow(id):
            pass
        return self.retrieve(id)

    def _tunable(self, model: str) -> Weights:
        try:
            return self._models.weights(model, ("chat", "completion"))
        except (NotFound, BadRequest):
            raise self._not_tunable(model) from None

    def _not_tunable(self, model: str) -> BadRequest:
        return BadRequest(
            f"Model {model} is not available for fine-tuning or does not exist."
            f"{self._models.hint(model) or ' GET /v1/models lists what there is.'}",
            param="model",
            code="model_not_available",
        )

    def _training_data(self, id: str, param: str) -> None:
        file = self._shelf.get(File, id)
        if file is None:
            raise BadRequest(
                f"invalid {param}: No such File object: {id}", param=param, code="file_not_found"
            )
        if file.purpose != "fine-tune":
            raise BadRequest(
                f"invalid {param}: {id} has the purpose '{file.purpose}', and must have "
                "'fine-tune'.",
                param=param,
                code=f"invalid_{param}",
            )

    def _new(self, request: JobRequest, parent: Weights) -> Job:
        method = starting.method(request, parent, self._models.adapter(parent))
        given = method.supervised.hyperparameters
        spec = request.model_dump(
            include=JobSpec.model_fields.keys() - {"model"}, exclude_unset=True
        )
        seed = secrets.randbelow(2**31 - 1) if request.seed is None else request.seed
        return Job(
            **spec,
            model=parent.base if parent.adaptation == "none" else parent.id,
            hyperparameters=Hyperparameters(
                n_epochs=given.n_epochs,
                batch_size=given.batch_size,
                learning_rate_multiplier=given.learning_rate_multiplier,
            ),
            method=method,
            organization_id=self._caller.organisation,
            seed=seed,
            user_provided_suffix=request.suffix,
        )


def _without_estimate(job: Job) -> Job:
    return job.model_copy(update={"estimated_finish": None})


def _wrong_status(message: str) -> BadRequest:
    return BadRequest(message, param="fine_tune_id", code="invalid_job_status")


def _need_training() -> None:
    if importlib.util.find_spec("torch") is None or not importlib.util.find_spec("transformers"):
        raise MissingExtra("Fine-tuning", "train")
