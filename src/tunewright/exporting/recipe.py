"""What an export is asked to do, as one JSON line."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tunewright.records.exports import Dtype, Target


class Row(BaseModel):
    """Token ids: what comes before, and the answer whose log-probabilities are compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: list[int]
    answer: list[int]


class Recipe(BaseModel):
    """start: the directory of the untuned base. weights: that of the weights which the model is
    served with, the same or, for a full fine-tune, its own. adapter: the one on them, if any.
    directory: an existing one, to be filled. base_name: what the adapter's own file calls its base.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Path
    weights: Path
    adapter: Path | None
    directory: Path
    base_name: str
    to: Target
    dtype: Dtype | None
    rows: list[Row]
