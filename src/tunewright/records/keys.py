"""API keys as owners see them over HTTP: OpenAI's admin API keys, and a role."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tunewright.records.pages import After
from tunewright.records.record import Record, Request

Role = Literal["owner", "member"]


class KeyOwner(Record):
    """Keys are their organisation's: here is nobody like OpenAI's user."""

    type: Literal["organization"] = "organization"
    object: Literal["organization"] = "organization"
    id: str
    name: str
    created_at: int
    role: Role


class Key(Record):
    """`revoked_at` is for the operator's eyes: over HTTP a revoked key is not there.

    `last_used_at` is always null: it would cost a durable write a request.
    """

    id: str
    object: Literal["organization.admin_api_key"] = "organization.admin_api_key"
    name: str
    redacted_value: str
    role: Role
    created_at: int
    expires_at: int | None = None
    last_used_at: int | None = None
    owner: KeyOwner
    revoked_at: int | None = Field(default=None, exclude=True)


class CreatedKey(Key):
    """`value` is the key itself. It is shown this once."""

    value: str


class KeyRequest(Request):
    name: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    role: Role = "owner"
    expires_in_seconds: Annotated[int, Field(ge=1, le=10 * 366 * 86400)] | None = None


class KeyPageRequest(Request):
    """Oldest first, unlike most lists: so is OpenAI's."""

    after: After = None
    limit: int = Field(default=20, ge=1, le=100)
    order: Literal["asc", "desc"] = "asc"


class Organisation(Record):
    """For the operator: there is no call for it. `name` is part of the names of tuned models."""

    id: str
    object: Literal["organization"] = "organization"
    name: str
    created_at: int
