"""Which projects may use a checkpoint: for owners, as OpenAI asks for an admin's key here."""

from typing import Any

from tunewright.access import Caller
from tunewright.catalog.catalog import Shelf
from tunewright.errors import NotFound
from tunewright.records.pages import Deleted, Page
from tunewright.records.permissions import (
    CheckpointPermission,
    PermissionPageRequest,
    PermissionRequest,
)
from tunewright.resources.models import Models
from tunewright.usage import Quota


class Permissions:
    """Every call raises NotFound for a name that is no tuned model or checkpoint of the caller's
    organisation, and Forbidden for a member's key."""

    def __init__(self, caller: Caller, shelf: Shelf, models: Models, quota: Quota) -> None:
        self._caller = caller
        self._shelf = shelf
        self._models = models
        self._quota = quota

    def create(self, checkpoint: str, /, **given: Any) -> Page[CheckpointPermission]:
        """One for each of `project_ids`, in their order; what a project has already stays."""
        self._quota.admit()
        checkpoint = self._owned(checkpoint)
        request: PermissionRequest = PermissionRequest.parse(given)
        with self._shelf.catalog.transaction():
            data = [self._give(checkpoint, project) for project in request.project_ids]
        return Page[CheckpointPermission](data=data, first_id=data[0].id, last_id=data[-1].id)

    def list(self, checkpoint: str, /, **given: Any) -> Page[CheckpointPermission]:
        """`given`: the fields of `PermissionPageRequest`."""
        checkpoint = self._owned(checkpoint)
        query: PermissionPageRequest = PermissionPageRequest.parse(given)
        return self._shelf.page(
            CheckpointPermission,
            after=query.after,
            limit=query.limit,
            newest_first=query.order == "descending",
            subject=checkpoint,
            where={"project_id": query.project_id} if query.project_id else None,
        )

    def delete(self, checkpoint: str, id: str) -> Deleted:
        checkpoint = self._owned(checkpoint)
        with self._shelf.catalog.transaction():
            kept = self._shelf.all(CheckpointPermission, subject=checkpoint)
            if id not in [permission.id for permission in kept]:
                raise NotFound(f"No such permission of {checkpoint}: {id}", param="permission_id")
            self._shelf.delete(CheckpointPermission, id)
        return Deleted(id=id, object="checkpoint.permission")

    def _owned(self, checkpoint: str) -> str:
        """Its first name."""
        own = self._models.retrieve_own(checkpoint)
        self._caller.require_owner()
        return own.id

    def _give(self, checkpoint: str, project: str) -> CheckpointPermission:
        where = {"project_id": project}
        for known in self._shelf.all(CheckpointPermission, subject=checkpoint, where=where):
            return known
        permission = CheckpointPermission(project_id=project)
        self._shelf.put(permission, subject=checkpoint)
        return permission
