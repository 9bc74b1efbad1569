"""A vector store: files whose text is cut into chunks, embedded, and searched."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from tunewright.records.jobs import Metadata
from tunewright.records.pages import After, PageRequest
from tunewright.records.record import Record, Request, new_id, now

MOST_FIRST_FILES = 500  # of one that is just being made
CHUNK_TOKENS, CHUNK_OVERLAP = 800, 400
DAY = 24 * 3600

StoreStatus = Literal["expired", "in_progress", "completed"]
FileId = Annotated[str, StringConstraints(min_length=1)]
Name = Annotated[str, StringConstraints(max_length=256)]
Description = Annotated[str, StringConstraints(max_length=512)]


class StoreExpiry(Request):
    """Counted from when the store was last used: searched, or given a file."""

    anchor: Literal["last_active_at"]
    days: Annotated[int, Field(ge=1, le=365)]

    @property
    def seconds(self) -> int:
        return self.days * DAY


class _Strategy(Request):
    """Names both strategies where a type is neither."""

    @field_validator("type", mode="before", check_fields=False)
    @classmethod
    def _one_of_both(cls, kind: Any) -> Any:
        if kind in ("auto", "static"):
            return kind
        raise PydanticCustomError("literal_error", "{expected}", {"expected": "'auto' or 'static'"})


class AutoChunking(_Strategy):
    type: Literal["auto"]


class ChunkSizes(Request):
    """In tokens of the embedding model."""

    max_chunk_size_tokens: Annotated[int, Field(ge=100, le=4096)]
    chunk_overlap_tokens: Annotated[int, Field(ge=0)]

    @field_validator("chunk_overlap_tokens")
    @classmethod
    def _half_at_most(cls, overlap: int, info: ValidationInfo) -> int:
        most = info.data.get("max_chunk_size_tokens", 2 * overlap) // 2
        if overlap > most:
            raise PydanticCustomError("less_than_equal", "<= {le}", {"le": most})
        return overlap


class StaticChunking(_Strategy):
    type: Literal["static"]
    static: ChunkSizes


def _strategy(given: Any) -> str:
    kind = given.get("type") if isinstance(given, dict) else getattr(given, "type", None)
    return "the static one" if kind == "static" else "the automatic one"


ChunkingStrategy = Annotated[
    Annotated[AutoChunking, Tag("the automatic one")]
    | Annotated[StaticChunking, Tag("the static one")],
    Discriminator(_strategy),
]


def resolved(strategy: AutoChunking | StaticChunking | None) -> StaticChunking:
    """What a file is cut by: the numbers that `auto` stands for are shown, as OpenAI does."""
    if isinstance(strategy, StaticChunking):
        return strategy
    sizes = ChunkSizes(max_chunk_size_tokens=CHUNK_TOKENS, chunk_overlap_tokens=CHUNK_OVERLAP)
    return StaticChunking(type="static", static=sizes)


class StoreRequest(Request):
    """embedding_model (ours): what embeds the chunks and the queries; by default the setting
    `vector_stores_model`. It stays as it is chosen here."""

    name: Name | None = None
    description: Description | None = None
    file_ids: list[FileId] = Field(default=[], max_length=MOST_FIRST_FILES)
    chunking_strategy: ChunkingStrategy | None = None
    expires_after: StoreExpiry | None = None
    metadata: Metadata | None = None
    embedding_model: Annotated[str, StringConstraints(min_length=1)] | None = None


class StoreChange(Request):
    """What is left out stays as it is; null takes it away."""

    name: Name | None = None
    expires_after: StoreExpiry | None = None
    metadata: Metadata | None = None


class StorePageRequest(PageRequest):
    """`before`: the id of the first object seen; the page ends where that one stands."""

    before: After = None
    order: Literal["asc", "desc"] = "desc"


class FileCounts(Record):
    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    total: int = 0


class StoreEmbedding(Record):
    """What the vectors of a store are: those of another model cannot be compared with them.

    `model`: the base or tuned model itself, `fingerprint` of its files; `index`: which one keeps
    the vectors. `collection`: what that calls them; left out where it is the id of the store.
    """

    model: str
    fingerprint: str
    precision: Literal["exact", "fast"]
    dimensions: int
    metric: Literal["cosine", "dot", "euclidean"] = "cosine"
    index: str = "local"
    collection: str | None = Field(default=None, exclude_if=lambda it: it is None)

    def collection_of(self, store: str) -> str:
        return self.collection or store


class VectorStore(Record):
    """`usage_bytes`: text and vectors of its chunks. `status` is in_progress while a file is being
    read. `expires_after` is left out where it was not given: OpenAI's is not nullable."""

    table: ClassVar = "vector_stores"

    id: str = Field(default_factory=lambda: new_id("vs_"))
    object: Literal["vector_store"] = "vector_store"
    created_at: int = Field(default_factory=now)
    name: str = ""
    description: str | None = None
    usage_bytes: int = 0
    file_counts: FileCounts = FileCounts()
    status: StoreStatus = "completed"
    expires_after: StoreExpiry | None = Field(default=None, exclude_if=lambda it: it is None)
    expires_at: int | None = None
    last_active_at: int | None = Field(default_factory=now)
    metadata: Metadata | None = None
    embedding_model: str
    embedding: StoreEmbedding


class DeletedStore(Record):
    id: str
    object: Literal["vector_store.deleted"] = "vector_store.deleted"
    deleted: Literal[True] = True
