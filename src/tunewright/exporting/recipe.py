"""What an export is asked to do, as one JSON line."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from tunewright.records.exports import Dtype, Target
from tunewright.records.template_kwargs import Rendering


class Row(BaseModel):
    """Token ids: what comes before, and the answer whose log-probabilities are compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: list[int]
    answer: list[int]


class Recipe(BaseModel):
    """start: the directory of the untuned base. weights: that of the weights which the model is
    served with, the same or, for a full fine-tune, its own. adapter: the one on them, if any.
    directory: an existing one, to be filled. name: the model's own; base_name: what the adapter's
    own file calls its base. licence: of the base, where it is known. rendering: as training used
    the chat template. only_adapter: of GGUF.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Path
    weights: Path
    adapter: Path | None
    directory: Path
    name: str
    base_name: str
    licence: str | None = None
    kind: Literal["chat", "completion"]
    rendering: Rendering | None = None
    moves_system: bool = True
    to: Target
    dtype: Dtype | None
    only_adapter: bool = False
    rows: list[Row]
