from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, WithJsonSchema

from tunewright.records.record import Record, Request, new_id, now

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
UploadPurpose = Literal["assistants", "batch", "evals", "fine-tune", "user_data", "vision"]
# Those of files that clients send. "fine-tune" and "batch" are used by calls here: the others are
# kept, listed and given back, for code that stores its files so.
UPLOAD_PURPOSES: tuple[UploadPurpose, ...] = get_args(UploadPurpose)
BATCH_BYTES = 200 * 1024 * 1024
BATCH_SECONDS = 30 * 24 * 3600
"""How long the input of a batch is kept where its upload does not say."""


class ExpiresAfter(Request):
    """When a file deletes itself: between an hour and thirty days after it was made."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3600, le=2_592_000)]


class FileOptions(Request):
    expires_after: ExpiresAfter | None = None


Binary = Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})]


class FileForm(FileOptions):
    """The parts of the multipart form that carries a file. `api.multipart` streams it."""

    purpose: UploadPurpose
    file: Binary


class File(Record):
    """`expires_at` is left out where it is not set: OpenAI's is not nullable."""

    table: ClassVar = "files"
    searched: ClassVar = ("purpose",)

    id: str = Field(default_factory=lambda: new_id("file-"))
    object: Literal["file"] = "file"
    bytes: int
    created_at: int = Field(default_factory=now)
    expires_at: int | None = Field(default=None, exclude_if=lambda at: at is None)
    filename: str
    purpose: Purpose
    status: Literal["uploaded", "processed", "error"] = "processed"
