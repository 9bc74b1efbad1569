from typing import ClassVar, Literal

from pydantic import Field

from tunewright.records.record import Record, now
from tunewright.records.template_kwargs import Rendering

ModelKind = Literal["chat", "completion", "embedding"]


class Model(Record):
    """Always an ML model: a base, an alias or a tuned one."""

    table: ClassVar = "models"
    goes_wholly: ClassVar = True

    id: str
    object: Literal["model"] = "model"
    created: int = Field(default_factory=now)
    owned_by: str


class FastFacts(Record):
    """How a model in int8 compares with the same in float32, on texts of several languages.

    `cosine_mean`, `cosine_min`: of the vectors of each text. `overlap_at_10`: the share of a text's
    ten nearest others that stay. `alone_min`: the least cosine of a text's vector alone and in a
    batch. `times_as_fast`: by tokens a second of processor time, on the machine it was added on.
    """

    cosine_mean: float
    cosine_min: float
    overlap_at_10: float
    alone_min: float
    times_as_fast: float


class BaseFacts(Record):
    """What was found of a base when it was added, and what it can do.

    `source`: where its files came from; `revision`: the hub's commit. `no_tools` and
    `no_shared_prefixes`: why not; None: it can. Bytes: `memory_to_serve` is the peak of a process
    that answered (measured), else an estimate; `memory_to_train`, of a job of default size, an
    estimate. `tokens_per_second` of one short answer, with `dtype` and `threads`: None where
    nothing was measured. `notes`: what else is worth knowing, a sentence each.

    Of an embedding model: `dimensions` of its vectors; `parameters` in safetensors; its memory is
    the size of its files. `matryoshka`: how many first components are a vector too (empty: any
    number; None: none). `pooling`: from tokens to one vector; None where its engine alone knows.
    `engine` computes it; `agreement`: the least cosine similarity of its vectors with torch's,
    where they were compared. `precision`: exact or fast; `fast`: how that compares with exact.
    """

    kind: ModelKind
    source: str
    revision: str | None = None
    licence: str | None = None
    context: int
    parameters: int
    dimensions: int | None = None
    matryoshka: list[int] | None = None
    pooling: str | None = None
    prompts: dict[str, str] = Field(default_factory=dict)
    default_prompt: str | None = None
    long_inputs: Literal["average", "error", "truncate"] | None = None
    engine: str | None = None
    agreement: float | None = None
    precision: Literal["exact", "fast"] | None = None
    fast: FastFacts | None = None
    no_tools: str | None
    measured: bool
    no_shared_prefixes: str | None = None
    memory_to_serve: int
    memory_to_train: int | None
    tokens_per_second: float | None = None
    dtype: str | None = None
    threads: int | None = None
    notes: list[str]


class AddedBase(Model):
    """A base as it was added. `base`: what was found of it."""

    base: BaseFacts


class Engine(Record):
    """A model as OpenAI's first API showed it."""

    id: str
    object: Literal["engine"] = "engine"
    owner: str
    ready: bool = True


class Loadable(Record):
    """What is loaded to be trained or to answer: a base, and what was made of it. Internal: never
    on the wire.

    A tuned model names its real base by fingerprint, so that remapping an alias or adding another
    base under the same name never changes an existing model. `directory`: the adapter, or the
    whole weights that take the base's place. `rendering`: None of a base, and of a model of an
    older version.
    """

    id: str
    kind: ModelKind
    base: str
    base_directory: str
    base_fingerprint: str
    directory: str | None = None
    adaptation: Literal["none", "lora", "full"] = "none"
    rendering: Rendering | None = None
    created: int = Field(default_factory=now)

    @property
    def adapter(self) -> str | None:
        """The adapter's directory; None of whole weights."""
        return self.directory if self.adaptation == "lora" else None

    @property
    def whole(self) -> str:
        """The directory with the tokenizer and, but for an adapter, the weights."""
        return (self.directory if self.adaptation == "full" else None) or self.base_directory


class Weights(Loadable):
    """Where the weights of a model or a checkpoint lie, stored beside the model.

    `job` made it; `step` is set for a checkpoint, which can be used but is not listed.
    """

    table: ClassVar = "weights"
    searched: ClassVar = ("directory", "base_directory", "job")
    goes_wholly: ClassVar = True

    job: str | None = None
    step: int | None = None


class Start(Loadable):
    """What a job starts from, as it was when the job was made, until the job ends. Its id is the
    job's, and so is its subject.

    `asked`: what the job's model is named by, where that is not the real base.
    """

    table: ClassVar = "starts"
    searched: ClassVar = ("directory", "base_directory")
    goes_wholly: ClassVar = True

    asked: str | None = None

    def trained(
        self,
        id: str,
        directory: str,
        adaptation: Literal["lora", "full"],
        step: int | None = None,
    ) -> Weights:
        """The weights that the job has made of it."""
        kept = self.model_dump(include={"kind", "base", "base_directory", "base_fingerprint"})
        return Weights(
            **kept,
            id=id,
            directory=directory,
            adaptation=adaptation,
            rendering=self.rendering,
            job=self.id,
            step=step,
        )


class Switched(Record):
    """A model's name of elsewhere that a model of this home answers to. Internal, as `Weights`.

    `previous`: what answered to it before.
    """

    table: ClassVar = "switched"
    goes_wholly: ClassVar = True

    id: str
    name: str
    target: str
    previous: str | None = None
    created: int = Field(default_factory=now)
