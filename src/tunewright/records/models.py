from typing import Literal

from pydantic import Field

from tunewright.records.record import Record, now
from tunewright.records.template_kwargs import Rendering

ModelKind = Literal["chat", "completion", "embedding"]


class Model(Record):
    """Always an ML model: a base, an alias or a tuned one."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(default_factory=now)
    owned_by: str


class Engine(Record):
    """A model as OpenAI's first API showed it."""

    id: str
    object: Literal["engine"] = "engine"
    owner: str
    ready: bool = True


class Weights(Record):
    """Where a model's weights lie. Internal: never on the wire, stored beside the model.

    A tuned model names its real base by fingerprint, so that remapping an alias or adding
    another base under the same name never changes an existing model. `job` made it; `step` is set
    for a checkpoint, which can be used but is not listed. `deleted_name`: what it was called, while
    its bytes wait to be removed. `asked`, of what a job starts from: what its model is named by,
    where that is not the real base. `rendering`: None of a base, and of a model of an older
    version.
    """

    id: str
    kind: ModelKind
    base: str
    base_directory: str
    base_fingerprint: str
    directory: str | None = None
    adaptation: Literal["none", "lora", "full"] = "none"
    job: str | None = None
    step: int | None = None
    deleted_name: str | None = None
    asked: str | None = None
    rendering: Rendering | None = None
    created: int = Field(default_factory=now)


class Switched(Record):
    """A model's name of elsewhere that a model of this home answers to. Internal, as `Weights`.

    `previous`: what answered to it before.
    """

    id: str
    name: str
    target: str
    previous: str | None = None
    created: int = Field(default_factory=now)
