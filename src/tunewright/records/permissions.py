from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from tunewright.records.pages import After
from tunewright.records.record import Record, Request, new_id, now


class CheckpointPermission(Record):
    """That a project may use a checkpoint or tuned model. Kept for the clients that manage them:
    a home knows no projects, and every key of an organisation may use all of its models."""

    table: ClassVar = "checkpoint_permissions"
    searched: ClassVar = ("project_id",)

    id: str = Field(default_factory=lambda: new_id("cp_"))
    object: Literal["checkpoint.permission"] = "checkpoint.permission"
    created_at: int = Field(default_factory=now)
    project_id: str


class PermissionRequest(Request):
    project_ids: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=64)]],
        Field(min_length=1, max_length=100),
    ]


class PermissionPageRequest(Request):
    after: After = None
    limit: int = Field(default=10, ge=1, le=100)
    order: Literal["ascending", "descending"] = "descending"
    project_id: str | None = None
