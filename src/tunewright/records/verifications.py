from typing import ClassVar, Literal

from pydantic import Field

from tunewright.records.record import Record, now


class Damage(Record):
    """A model whose files are not what was written, and in what way."""

    model: str
    problem: str


class Verification(Record):
    """Whether the files of an organisation's models are what was written. Internal.

    `checked` of `models` are done. `error`: why it could not be carried out.
    """

    table: ClassVar = "verifications"

    id: str
    status: Literal["queued", "running", "done", "failed"] = "queued"
    models: int = 0
    checked: int = 0
    damaged: list[Damage] = Field(default_factory=list)
    error: str | None = None
    created_at: int = Field(default_factory=now)
