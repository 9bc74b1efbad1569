"""A fine-tuning job: what a client asks for, what it becomes, and what happens on the way."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from tunewright.records.events import RecordEvent
from tunewright.records.record import Record, Request, new_id, now
from tunewright.records.template_kwargs import TemplateKwargs

Status = Literal["validating_files", "queued", "running", "succeeded", "failed", "cancelled"]
OPEN: tuple[Status, ...] = ("validating_files", "queued", "running")
ENDED: tuple[Status, ...] = ("succeeded", "failed", "cancelled")

Auto = Literal["auto"]
Metadata = Annotated[
    dict[
        Annotated[str, StringConstraints(max_length=64)],
        Annotated[str, StringConstraints(max_length=512)],
    ],
    Field(max_length=16),
]


class Hyperparameters(Request):
    """`auto` becomes the number that was used as soon as the job runs."""

    n_epochs: Auto | Annotated[int, Field(ge=1, le=50)] = "auto"
    batch_size: Auto | Annotated[int, Field(ge=1, le=256)] = "auto"
    learning_rate_multiplier: Auto | Annotated[float, Field(gt=0)] = "auto"


class SupervisedHyperparameters(Hyperparameters):
    """`adaptation` and `rank` are Tunewright's own: how the weights are changed.

    lora: small matrices beside the frozen base (default). full: every weight of the base.
    """

    adaptation: Literal["lora", "full"] = "lora"
    rank: Auto | Annotated[int, Field(ge=1, le=256)] = "auto"


class Supervised(Request):
    hyperparameters: SupervisedHyperparameters = SupervisedHyperparameters()


class Method(Request):
    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = {"dpo": (), "reinforcement": ()}

    type: Literal["supervised"] = "supervised"
    supervised: Supervised = Supervised()

    @property
    def hyperparameters(self) -> SupervisedHyperparameters:
        """Those of the method that is chosen."""
        return self._chosen.hyperparameters

    def using(self, **effective: Any) -> "Method":
        """The same with other hyperparameters, of those that the method has."""
        names = type(self.hyperparameters).model_fields
        known = {name: value for name, value in effective.items() if name in names}
        hyperparameters = self.hyperparameters.model_copy(update=known)
        chosen = self._chosen.model_copy(update={"hyperparameters": hyperparameters})
        return self.model_copy(update={self.type: chosen})

    @property
    def _chosen(self) -> Supervised:
        return getattr(self, self.type)


class JobSpec(Request):
    """The fields that a client gives and that the job keeps. A new one is one line here."""

    model: Annotated[str, StringConstraints(min_length=1)]
    training_file: Annotated[str, StringConstraints(min_length=1)]
    validation_file: Annotated[str, StringConstraints(min_length=1)] | None = None
    metadata: Metadata | None = None
    chat_template_kwargs: TemplateKwargs | None = Field(
        default=None, exclude_if=lambda value: value is None
    )


class JobRequest(JobSpec):
    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = {"integrations": ([],)}

    suffix: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    seed: Annotated[int, Field(ge=0, le=2147483647)] | None = None
    hyperparameters: Hyperparameters | None = None
    method: Method | None = None

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> "JobRequest":
        if self.hyperparameters and self.method:
            raise ValueError(
                "give 'hyperparameters' inside 'method' or on the top level, not in both"
            )
        return self

    def resolved_method(self) -> Method:
        """The method with the deprecated top-level `hyperparameters` moved into it."""
        if self.method:
            return self.method
        given = self.hyperparameters.model_dump() if self.hyperparameters else {}
        return Method(supervised=Supervised(hyperparameters=SupervisedHyperparameters(**given)))


class JobError(Record):
    code: str
    message: str
    param: str | None = None


class Job(JobSpec, Record):
    table: ClassVar = "jobs"
    searched: ClassVar = ("status", "training_file", "validation_file")

    id: str = Field(default_factory=lambda: new_id("ftjob-"))
    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    created_at: int = Field(default_factory=now)
    error: JobError | None = None
    estimated_finish: int | None = None
    fine_tuned_model: str | None = None
    finished_at: int | None = None
    hyperparameters: Hyperparameters
    integrations: list[Any] | None = None
    method: Method
    organization_id: str
    result_files: list[str] = Field(default_factory=list)
    seed: int
    status: Status = "validating_files"
    trained_tokens: int | None = None
    user_provided_suffix: str | None = None


class Event(RecordEvent):
    """`data` holds the metrics of a step where `type` is metrics."""

    table: ClassVar = "events"
    prefix: ClassVar = "ftevent-"

    object: Literal["fine_tuning.job.event"] = "fine_tuning.job.event"
    type: Literal["message", "metrics"] = "message"


class CheckpointMetrics(Record):
    step: float | None = None
    train_loss: float | None = None
    train_mean_token_accuracy: float | None = None
    valid_loss: float | None = None
    valid_mean_token_accuracy: float | None = None
    full_valid_loss: float | None = None
    full_valid_mean_token_accuracy: float | None = None


class Checkpoint(Record):
    table: ClassVar = "checkpoints"

    id: str
    object: Literal["fine_tuning.job.checkpoint"] = "fine_tuning.job.checkpoint"
    created_at: int = Field(default_factory=now)
    fine_tuned_model_checkpoint: str
    fine_tuning_job_id: str
    metrics: CheckpointMetrics
    step_number: int
