from tunewright.api.call import Call, changes, reads
from tunewright.records.keys import CreatedKey, Key, KeyPageRequest, KeyRequest
from tunewright.records.pages import Deleted, Page

# OpenAI's admin API keys. Other than there, these keys open all the other calls as well.
_KEYS = "/v1/organization/admin_api_keys"
_NAME = "admin.organization.admin_api_keys"
calls = (
    Call(
        "POST",
        _KEYS,
        f"{_NAME}.create",
        "Create a key; its value is shown only this once.",
        CreatedKey,
        changes(lambda it, /, **body: it.keys.create(**body)),
        takes=KeyRequest,
    ),
    Call(
        "GET",
        _KEYS,
        f"{_NAME}.list",
        "List the organisation's keys.",
        Page[Key],
        reads(lambda it, /, **query: it.keys.list(**query)),
        query=KeyPageRequest,
    ),
    Call(
        "GET",
        _KEYS + "/{id}",
        f"{_NAME}.retrieve",
        "A key's record.",
        Key,
        reads(lambda it, id: it.keys.retrieve(id)),
    ),
    Call(
        "DELETE",
        _KEYS + "/{id}",
        f"{_NAME}.delete",
        "Revoke a key.",
        Deleted,
        changes(lambda it, id: it.keys.delete(id)),
    ),
)
