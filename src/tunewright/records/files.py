from typing import Literal

from pydantic import Field

from tunewright.records.record import Record, new_id, now

Purpose = Literal[
    "assistants",
    "assistants_output",
    "batch",
    "batch_output",
    "evals",
    "fine-tune",
    "fine-tune-results",
    "user_data",
    "vision",
]
# What Tunewright can use today; the other purposes are refused by name.
UPLOAD_PURPOSES = ("fine-tune",)


class File(Record):
    id: str = Field(default_factory=lambda: new_id("file-"))
    object: Literal["file"] = "file"
    bytes: int
    created_at: int = Field(default_factory=now)
    filename: str
    purpose: Purpose
    status: Literal["uploaded", "processed", "error"] = "processed"
