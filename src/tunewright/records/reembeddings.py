"""A vector store whose texts are embedded anew, by another model."""

from typing import ClassVar, Literal

from pydantic import Field

from tunewright.records.jobs import JobError
from tunewright.records.record import Record, new_id, now
from tunewright.records.vector_stores import StoreEmbedding

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
OPEN: tuple[Status, ...] = ("queued", "running")


class Reembedding(Record):
    """Of `chunks` in the store `done` have a vector of the new `model`, which is called as it was
    asked for; `embedding`: what the store has in the end. `begun`: what lies in that collection is
    of this one."""

    table: ClassVar = "reembeddings"

    id: str = Field(default_factory=lambda: new_id("vsre_"))
    object: Literal["vector_store.reembedding"] = "vector_store.reembedding"
    created_at: int = Field(default_factory=now)
    vector_store_id: str
    model: str
    embedding: StoreEmbedding
    status: Status = "queued"
    chunks: int = 0
    done: int = 0
    begun: bool = False
    error: JobError | None = None
    finished_at: int | None = None
