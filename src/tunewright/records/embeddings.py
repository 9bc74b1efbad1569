from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from tunewright.records.record import Record, Request

MAX_INPUTS = 2048
MAX_TOKENS_EACH = 8192
MAX_TOKENS_TOGETHER = 300_000


class EmbeddingRequest(Request):
    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = {"dimensions": ()}

    model: Annotated[str, StringConstraints(min_length=1)]
    input: str | Annotated[list[str], Field(min_length=1, max_length=MAX_INPUTS)]
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None

    @property
    def texts(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input


class Embedding(Record):
    """`embedding`: floats, or little-endian float32 in base64 where the client asked for that."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(Record):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Record):
    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
