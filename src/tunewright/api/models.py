from tunewright.api.call import Call, changes, reads
from tunewright.records.models import Model
from tunewright.records.pages import Deleted, Page

_MODEL = "/v1/models/{id:path}"  # names of hub models hold a slash, and SDK 1.x sends it unescaped
calls = (
    Call(
        "GET",
        "/v1/models",
        "models.list",
        "List bases, aliases and tuned models.",
        Page[Model],
        reads(lambda it: it.models.list()),
    ),
    Call(
        "GET",
        _MODEL,
        "models.retrieve",
        "A model's record.",
        Model,
        reads(lambda it, id: it.models.retrieve(id)),
    ),
    Call(
        "DELETE",
        _MODEL,
        "models.delete",
        "Delete a tuned model.",
        Deleted,
        changes(lambda it, id: it.models.delete(id)),
    ),
)
