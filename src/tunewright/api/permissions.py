from tunewright.api.call import Call, changes, makes, reads
from tunewright.records.pages import Deleted, Page
from tunewright.records.permissions import (
    CheckpointPermission,
    PermissionPageRequest,
    PermissionRequest,
)

# {checkpoint:path}: names of bases may hold a slash, and so do those of what is tuned from them.
_PERMISSIONS = "/v1/fine_tuning/checkpoints/{checkpoint:path}/permissions"
calls = (
    Call(
        "POST",
        _PERMISSIONS,
        "fine_tuning.checkpoints.permissions.create",
        "Allow projects to use a checkpoint.",
        Page[CheckpointPermission],
        makes(lambda it, name, /, **body: it.permissions.create(name, **body)),
        takes=PermissionRequest,
    ),
    Call(
        "GET",
        _PERMISSIONS,
        "fine_tuning.checkpoints.permissions.list",
        "List the permissions of a checkpoint.",
        Page[CheckpointPermission],
        reads(lambda it, name, /, **query: it.permissions.list(name, **query)),
        query=PermissionPageRequest,
    ),
    Call(
        "DELETE",
        _PERMISSIONS + "/{id}",
        "fine_tuning.checkpoints.permissions.delete",
        "Delete a permission.",
        Deleted,
        changes(lambda it, name, id: it.permissions.delete(name, id)),
    ),
)
