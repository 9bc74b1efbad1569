"""What a run is asked to do: ``recipe.json`` in its folder."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tunewright import durable
from tunewright.errors import BadRequest
from tunewright.records.template_kwargs import Rendering

FILE = "recipe.json"


class Recipe(BaseModel):
    """`base` is a model's directory, `base_name` what the adapter calls it. `adapter`: one on
    that base which training goes on from; null for a fresh one.

    chat files hold `messages`, completion files prompt and completion. "auto" is resolved by
    `defaults` when the run starts. processes: that share the rows of a step; "auto": one a GPU.
    speed: the file of what was measured of this machine, for plans; null: it is not measured.
    compute_dtype: of products; null: as the environment's TUNEWRIGHT_COMPUTE_DTYPE says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Path
    base_name: str
    adapter: Path | None = None
    kind: Literal["chat", "completion"]
    rendering: Rendering | None = None
    training_file: Path
    validation_file: Path | None = None
    method: str = "supervised"
    adaptation: Literal["lora", "full"] = "lora"
    rank: Literal["auto"] | int = "auto"
    alpha: float = 32
    n_epochs: Literal["auto"] | int = "auto"
    batch_size: Literal["auto"] | int = "auto"
    learning_rate_multiplier: Literal["auto"] | float = "auto"
    seed: int = 0
    processes: Literal["auto"] | int = "auto"
    speed: Path | None = None
    compute_dtype: Literal["auto", "float32", "bfloat16"] | None = None

    def write(self, folder: Path) -> None:
        durable.write_json(folder / FILE, self.model_dump(mode="json"))

    @classmethod
    def read(cls, folder: Path) -> "Recipe":
        try:
            return cls.model_validate(durable.read_json(folder / FILE))
        except ValidationError as error:
            raise BadRequest(f"{folder / FILE} is not a recipe: {error}") from error
