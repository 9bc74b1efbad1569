"""A model's weights on their way out: what is asked for, what becomes of it, and its proof."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tunewright.records.events import RecordEvent
from tunewright.records.jobs import JobError
from tunewright.records.record import Record, Request, new_id, now

Target = Literal["peft", "merged", "gguf", "ollama"]
Dtype = Literal["bf16", "fp32", "f16", "q8_0", "q4_0"]
Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
OPEN: tuple[Status, ...] = ("queued", "running")
DTYPES: dict[Target, tuple[Dtype, ...]] = {
    "peft": (),
    "merged": ("bf16", "fp32"),
    "gguf": ("f16", "q8_0", "q4_0"),
    "ollama": ("q8_0", "f16", "q4_0"),
}
"""What the weights of each may be written in, the default first."""


class ExportRequest(Request):
    """to: peft is the adapter alone, merged the base with the adapter in it, gguf the same as one
    file for llama.cpp, ollama that file with a Modelfile.

    dtype: of merged weights; an adapter is written in the float32 that it was trained in. adapter:
    of gguf, the adapter alone.
    """

    to: Target
    dtype: Dtype | None = None
    adapter: bool = False

    @model_validator(mode="after")
    def _dtype_of_the_target(self) -> "ExportRequest":
        if self.adapter and self.to != "gguf":
            raise ValueError(f"'adapter' goes with 'to': 'gguf'; '{self.to}' has no such choice")
        possible = self._dtypes()
        if self.dtype is not None and self.dtype not in possible:
            said = f"give {' or '.join(possible)}" if possible else "leave 'dtype' out"
            what = "an adapter" if self.adapter else f"'{self.to}'"
            raise ValueError(f"{what} is not written in {self.dtype}: {said}")
        return self

    def resolved_dtype(self) -> Dtype | None:
        return self.dtype or next(iter(self._dtypes()), None)

    def _dtypes(self) -> tuple[Dtype, ...]:
        return () if self.adapter else DTYPES[self.to]


class ExportedFile(Record):
    name: str
    bytes: int
    sha256: str


class Parity(Record):
    """The files, read back, against the model that is served, on `rows` rows. Nats.

    difference: the largest of a token's log-probability; spread: of all, root mean square.
    tolerance: the most that the first may be: four times `noise`, which is what rounding every
    weight once does to the base, and at least 0.002. (Of the second, twice the base's.)
    effect: how far tuning moved a token's log-probability, root mean square. kept: the part of
    that which the files show, 1 where all; null where there is nothing to tell by.
    """

    rows: int
    tolerance: float
    difference: float
    spread: float
    noise: float
    effect: float
    kept: float | None = None


class Export(Record):
    """`model`: its first name. `base` with `base_fingerprint`: what it stands on. `files` and
    `parity` are there when it has succeeded; at `expires_at` it deletes itself."""

    table: ClassVar = "exports"

    id: str = Field(default_factory=lambda: new_id("export-"))
    object: Literal["model.export"] = "model.export"
    created_at: int = Field(default_factory=now)
    model: str
    base: str
    base_fingerprint: str
    to: Target
    dtype: Dtype | None = None
    adapter: bool = False
    status: Status = "queued"
    error: JobError | None = None
    finished_at: int | None = None
    expires_at: int | None = None
    bytes: int | None = None
    files: list[ExportedFile] = Field(default_factory=list)
    parity: Parity | None = None


class ExportEvent(RecordEvent):
    table: ClassVar = "export_events"
    prefix: ClassVar = "exevent-"

    object: Literal["model.export.event"] = "model.export.event"
