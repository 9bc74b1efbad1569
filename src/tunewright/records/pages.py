"""A page of a list, and what a client may ask of one."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AfterValidator, Field

from tunewright.records.record import Record, Request

T = TypeVar("T", bound=Record)
# Empty: from the beginning, as loops begin that keep the last id in a text.
After = Annotated[str | None, AfterValidator(lambda id: id or None)]


class Page(Record, Generic[T]):
    """Always has `has_more`: without it the SDKs ask for the next page for ever."""

    object: Literal["list"] = "list"
    data: list[T]
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool = False


class PageRequest(Request):
    """`after` is the id of the last object seen, exclusive; it may have been deleted since."""

    after: After = None
    limit: int = Field(default=20, ge=1, le=100)


class FilePageRequest(Request):
    after: After = None
    limit: int = Field(default=10_000, ge=1, le=10_000)
    order: Literal["asc", "desc"] = "desc"
    purpose: str | None = None


class JobPageRequest(PageRequest):
    """`metadata`: pairs that a job must have, all of them; "null" for jobs without any."""

    metadata: dict[str, str] | Literal["null"] | None = None


class CheckpointPageRequest(PageRequest):
    limit: int = Field(default=10, ge=1, le=100)


class Deleted(Record):
    id: str
    object: str
    deleted: Literal[True] = True
