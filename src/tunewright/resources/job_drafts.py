"""A fine-tuning job that is being made: refused or not, what it starts from, then its records."""

import importlib.util
import secrets
from typing import Any, Literal

from tunewright import names
from tunewright.access import Caller
from tunewright.answering.model import answering
from tunewright.artefacts import Artefacts
from tunewright.catalog.catalog import Shelf
from tunewright.errors import BadRequest, MissingExtra, NotFound, Unavailable
from tunewright.faults import fault
from tunewright.home import Home
from tunewright.records.files import File
from tunewright.records.jobs import Hyperparameters, Job, JobRequest, JobSpec
from tunewright.records.models import Start, Weights
from tunewright.resources import starting
from tunewright.resources.models import Models
from tunewright.resources.naming import asked_part
from tunewright.resources.progress import JobProgress
from tunewright.resources.removals import Removals, is_orphan
from tunewright.resources.starting import StartFiles
from tunewright.tasks import Tasks
from tunewright.usage import Quota


class JobDrafts:
    def __init__(
        self,
        caller: Caller,
        shelf: Shelf,
        models: Models,
        tasks: Tasks,
        home: Home,
        artefacts: Artefacts,
        removals: Removals,
        tuned_names: Literal["asked", "base"],
        quota: Quota,
    ) -> None:
        self.caller = caller
        self.shelf = shelf
        self.models = models
        self.tasks = tasks
        self.home = home
        self.artefacts = artefacts
        self.removals = removals
        self.by_asked = tuned_names == "asked"
        self.quota = quota

    def draft(self, given: dict[str, Any]) -> "JobDraft":
        """`given`: the fields of `JobRequest`."""
        return JobDraft(self, given)


class JobDraft:
    """A job step by step: `seal` refuses it or keeps what it starts from, which takes its time
    where weights are copied; `publish` records it; `close`, in any case, removes what is left of
    one that was not recorded."""

    def __init__(self, of: JobDrafts, given: dict[str, Any]) -> None:
        self._of = of
        self._given = given
        self._sealed: tuple[JobRequest, Job, Weights, Start] | None = None
        self._start: StartFiles | None = None

    def seal(self) -> None:
        """Raises Busy or QuotaExceeded where one more job is too many, BadRequest for an unknown
        file or a model that cannot be tuned."""
        self._of.quota.check_jobs()
        request: JobRequest = JobRequest.parse(self._given)
        _need_training()
        parent = self._tunable(request.model)
        self._check_files(request)
        if request.suffix is not None:
            names.suffix(request.suffix)
        try:
            job = self._new(request, parent)
            start = self._keep(job, parent, request.model)
        except FileNotFoundError:  # deleted at this very moment
            raise self._not_tunable(request.model) from None
        self._sealed = request, job, parent, start
        fault("job.sealed")

    def publish(self) -> Job:
        """Raises as `seal` does: files and model may have been deleted since, or jobs added."""
        assert self._sealed is not None
        request, job, parent, start = self._sealed
        shelf = self._of.shelf
        with shelf.catalog.transaction():
            self._of.quota.check_jobs()
            self._check_files(request)
            if self._tunable(request.model) != parent:
                raise Unavailable(f"{request.model} changed at this very moment. Please try again.")
            shelf.put(job)
            shelf.put(start, subject=job.id)
            progress = JobProgress(shelf, self._of.removals)
            progress.say(job.id, "created", f"Created fine-tuning job: {job.id}")
            _say_what_answers(progress, job, parent, request.model)
            self._of.tasks.enqueue("check", job.id, self._of.caller.organisation)
            fault("job.creating")
        return job

    def close(self) -> None:
        if self._start is not None:
            needed = not is_orphan(self._of.shelf.catalog, Job, self._start.job)
            self._start.close(needed=needed)

    def _keep(self, job: Job, parent: Weights, asked: str) -> Start:
        self._start = StartFiles(self._of.artefacts, self._of.home.job(job.id), job.id)
        return self._start.keep(parent, asked_part(asked) if self._of.by_asked else None)

    def _tunable(self, model: str) -> Weights:
        try:
            return self._of.models.weights(model, ("chat", "completion"))
        except (NotFound, BadRequest):
            raise self._not_tunable(model) from None

    def _not_tunable(self, model: str) -> BadRequest:
        return BadRequest(
            f"Model {model} is not available for fine-tuning or does not exist."
            f"{self._of.models.hint(model) or ' GET /v1/models lists what there is.'}",
            param="model",
            code="model_not_available",
        )

    def _check_files(self, request: JobRequest) -> None:
        self._check_file(request.training_file, "training_file")
        if request.validation_file:
            self._check_file(request.validation_file, "validation_file")

    def _check_file(self, id: str, param: str) -> None:
        file = self._of.shelf.get(File, id)
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
        method = starting.method(request, parent, self._of.models.adapter(parent))
        given = method.hyperparameters
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
            organization_id=self._of.caller.organisation,
            seed=seed,
            user_provided_suffix=request.suffix,
        )


def _say_what_answers(progress: JobProgress, job: Job, parent: Weights, asked: str) -> None:
    model, warning = answering(asked, parent)
    if model == asked:
        return
    said = warning or f"Answered by {model}."
    progress.say(
        job.id,
        "base",
        f"{asked}: {said[0].lower()}{said[1:]}",
        level="warn" if warning else "info",
        data={"base": parent.base},
    )


def _need_training() -> None:
    if importlib.util.find_spec("torch") is None or not importlib.util.find_spec("transformers"):
        raise MissingExtra("Fine-tuning", "train")
