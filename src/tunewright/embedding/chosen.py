"""What was chosen and found when an embedding model was added: in its manifest, under `embedding`.

The model's own files stay as its makers wrote them. What two models with the same files may differ
in, and their vectors with it, is part of the fingerprint (`identity`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from tunewright import durable
from tunewright.errors import Corrupt

LongInputs = Literal["average", "error", "truncate"]
LONG_INPUTS: tuple[LongInputs, ...] = get_args(LongInputs)
Precision = Literal["exact", "fast"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
KEY = "embedding"


@dataclass(frozen=True)
class Chosen:
    """`engine`: of `embedding.ENGINES`: onnx, torch, static. `graph`: the file that the engine
    runs, relative to the directory. `precision`: exact, or fast (in int8: `quantizing`).
    `long_inputs`: what becomes of an input that is longer than the context. `matryoshka`: which
    numbers of first components are vectors too, where the operator says so in place of the model's
    files. `found`: figures of its trial, for people.
    """

    engine: str
    graph: str | None = None
    precision: Precision = "exact"
    long_inputs: LongInputs = "average"
    matryoshka: tuple[int, ...] | None = None
    found: Mapping[str, Any] = field(default_factory=dict)

    @property
    def about(self) -> dict[str, Any]:
        """For `durable.directory`."""
        said = asdict(self)
        return {KEY: said, "identity": {k: v for k, v in said.items() if k != "found"}}

    @classmethod
    def read(cls, directory: Path) -> "Chosen | None":
        """None where the manifest says nothing, or there is none yet. Raises Corrupt for what this
        version does not understand."""
        if not (directory / durable.MANIFEST).is_file():
            return None
        said = durable.manifest(directory)["about"].get(KEY)
        if said is None:
            return None
        known = {each.name for each in fields(cls)}
        if not isinstance(said, dict) or "engine" not in said or said.keys() - known:
            raise Corrupt(
                f"{directory / durable.MANIFEST}: `{KEY}` is not of this version. Add it again."
            )
        sizes = said.get("matryoshka")
        given: dict[str, Any] = {**said, "matryoshka": None if sizes is None else tuple(sizes)}
        return cls(**given)
