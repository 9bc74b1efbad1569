"""A file in a vector store, and several that were attached by one call."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from tunewright.records.record import Record, Request, new_id, now
from tunewright.records.vector_stores import (
    ChunkingStrategy,
    FileCounts,
    FileId,
    StaticChunking,
    StorePageRequest,
)

MOST_FILES = 2000  # of one batch

AttachedStatus = Literal["in_progress", "completed", "cancelled", "failed"]
_EXACT = 2**53  # whole numbers up to here are doubles


def _plain(value: Any) -> Any:
    """One complaint for all kinds, in place of one for each."""
    if isinstance(value, str | bool | int | float):
        return value
    raise PydanticCustomError("attribute_type", "expected a string, a number or a boolean")


Attributes = Annotated[
    dict[
        Annotated[str, StringConstraints(max_length=64)],
        Annotated[
            Annotated[str, StringConstraints(max_length=512)]
            | bool
            | Annotated[int, Field(ge=-_EXACT, le=_EXACT)]
            | Annotated[float, Field(allow_inf_nan=False)],
            BeforeValidator(_plain),
        ],
    ],
    Field(max_length=16),
]


class AttachRequest(Request):
    file_id: FileId
    attributes: Attributes | None = None
    chunking_strategy: ChunkingStrategy | None = None


class AttributesChange(Request):
    """All of them: those that are not named are taken away; null is none."""

    attributes: Attributes | None


class BatchOfFilesRequest(Request):
    """`attributes` and `chunking_strategy` go with `file_ids`; each of `files` has its own."""

    file_ids: Annotated[list[FileId], Field(min_length=1, max_length=MOST_FILES)] | None = None
    files: Annotated[list[AttachRequest], Field(min_length=1, max_length=MOST_FILES)] | None = None
    attributes: Attributes | None = None
    chunking_strategy: ChunkingStrategy | None = None

    @model_validator(mode="after")
    def _one_form(self) -> "BatchOfFilesRequest":
        if (self.file_ids is None) == (self.files is None):
            raise ValueError("Give either 'file_ids' or 'files', and not both")
        return self

    def wanted(self) -> list[AttachRequest]:
        if self.files is not None:
            return self.files
        attributes, strategy = self.attributes, self.chunking_strategy
        return [
            AttachRequest(file_id=id, attributes=attributes, chunking_strategy=strategy)
            for id in self.file_ids or []
        ]


class AttachedPageRequest(StorePageRequest):
    filter: AttachedStatus | None = None


class LastError(Record):
    code: Literal["server_error", "unsupported_file", "invalid_file"]
    message: str


class VectorStoreFile(Record):
    """`id`: the file's own. `usage_bytes`: text and vectors of its chunks. `file_batch_id` (ours)
    is left out where it was attached alone."""

    table: ClassVar = "vector_store_files"
    searched: ClassVar = ("status", "file_id", "file_batch_id")

    id: str
    object: Literal["vector_store.file"] = "vector_store.file"
    created_at: int = Field(default_factory=now)
    usage_bytes: int = 0
    vector_store_id: str
    status: AttachedStatus = "in_progress"
    last_error: LastError | None = None
    chunking_strategy: StaticChunking
    attributes: Attributes = Field(default_factory=dict)
    file_batch_id: str | None = Field(default=None, exclude_if=lambda id: id is None)

    @property
    def file_id(self) -> str:
        return self.id

    @property
    def kept_as(self) -> str:
        return attached(self.vector_store_id, self.id)

    @property
    def poll_after_ms(self) -> int | None:
        return _wait(self.created_at) if self.status == "in_progress" else None


def _wait(since: int) -> int:
    """A tenth of the time that it has taken, from 0.2 to 5 seconds: most end soon."""
    return max(200, min(5000, 100 * (now() - since)))


def attached(vector_store_id: str, file_id: str) -> str:
    """What the catalog keeps a file of a store under, and the subject of its tasks."""
    return f"{vector_store_id}/{file_id}"


class VectorStoreFileBatch(Record):
    table: ClassVar = "vector_store_file_batches"

    id: str = Field(default_factory=lambda: new_id("vsfb_"))
    object: Literal["vector_store.files_batch"] = "vector_store.files_batch"
    created_at: int = Field(default_factory=now)
    vector_store_id: str
    status: AttachedStatus = "in_progress"
    file_counts: FileCounts = FileCounts()

    @property
    def poll_after_ms(self) -> int | None:
        return _wait(self.created_at) if self.status == "in_progress" else None


class DetachedFile(Record):
    id: str
    object: Literal["vector_store.file.deleted"] = "vector_store.file.deleted"
    deleted: Literal[True] = True
