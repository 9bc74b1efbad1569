"""A file that is sent in parts: created, filled, then completed into a `File`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from tunewright.records.files import Binary, ExpiresAfter, File, Purpose
from tunewright.records.record import Record, Request, new_id, now

LIFE_SECONDS = 3600
PART_LIMIT = 64 * 1024 * 1024
MOST_PARTS = 10_000


class UploadRequest(Request):
    """`mime_type` is required, as OpenAI's is, and has no effect."""

    without_effect: ClassVar[dict[str, str]] = {
        "mime_type": "what a file is follows from its purpose and is checked there"
    }

    bytes: Annotated[int, Field(ge=1)]
    filename: Annotated[str, StringConstraints(min_length=1)]
    mime_type: str
    purpose: str
    expires_after: ExpiresAfter | None = None


class PartForm(Request):
    """The one part of the multipart form that carries a part of a file."""

    data: Binary


class CompleteRequest(Request):
    part_ids: Annotated[list[str], Field(min_length=1, max_length=MOST_PARTS)]
    md5: str | None = None


class Upload(Record):
    """`bytes` is what the client announced; `file` is set as soon as `status` is completed.
    `expires_after` is the file's to be."""

    table: ClassVar = "uploads"
    searched: ClassVar = ("status",)

    id: str = Field(default_factory=lambda: new_id("upload_"))
    object: Literal["upload"] = "upload"
    bytes: int
    created_at: int = Field(default_factory=now)
    expires_at: int = Field(default_factory=lambda: now() + LIFE_SECONDS)
    filename: str
    purpose: Purpose
    status: Literal["pending", "completed", "cancelled", "expired"] = "pending"
    file: File | None = None
    expires_after: ExpiresAfter | None = Field(default=None, exclude_if=lambda it: it is None)


class UploadPart(Record):
    table: ClassVar = "upload_parts"
    searched: ClassVar = ("upload_id",)

    id: str
    object: Literal["upload.part"] = "upload.part"
    created_at: int = Field(default_factory=now)
    upload_id: str
