from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tunewright.api.acting import acting
from tunewright.api.call import Call, changes, makes, reads
from tunewright.api.crowd import lanes
from tunewright.api.turns import in_turn
from tunewright.records.exports import Export, ExportEvent, ExportRequest
from tunewright.records.pages import Deleted, Page, PageRequest

# Ours. {id:path}: names of bases may hold a slash, and so do those of what is tuned from them.
_EXPORTS = "/v1/models/{id:path}/exports"
_EXPORT = _EXPORTS + "/{export}"


async def content(request: Request) -> Response:
    exports, path = acting(request).exports, request.path_params
    size, pieces = await in_turn(
        request, lanes(request).reading, lambda: exports.content(path["id"], path["export"])
    )
    return StreamingResponse(
        iterate_in_threadpool(pieces),
        media_type="application/x-tar",
        headers={
            "content-length": str(size),
            "content-disposition": f'attachment; filename="{path["export"]}.tar"',
        },
    )


calls = (
    Call(
        "POST",
        _EXPORTS,
        "models.exports.create",
        "Have the weights of a model written for other programs.",
        Export,
        makes(lambda it, model, /, **body: it.exports.create(model, **body)),
        takes=ExportRequest,
    ),
    Call(
        "GET",
        _EXPORTS,
        "models.exports.list",
        "List the exports of a model.",
        Page[Export],
        reads(lambda it, model, /, **query: it.exports.list(model, **query)),
        query=PageRequest,
    ),
    Call(
        "GET",
        _EXPORT,
        "models.exports.retrieve",
        "An export's record.",
        Export,
        reads(lambda it, model, id: it.exports.retrieve(model, id)),
    ),
    Call(
        "DELETE",
        _EXPORT,
        "models.exports.delete",
        "Delete an export.",
        Deleted,
        changes(lambda it, model, id: it.exports.delete(model, id)),
    ),
    # It can be stopped whatever was used up.
    Call(
        "POST",
        f"{_EXPORT}/cancel",
        "models.exports.cancel",
        "Cancel an export.",
        Export,
        makes(lambda it, model, id: it.exports.cancel(model, id)),
        counts="nothing",
    ),
    Call(
        "GET",
        f"{_EXPORT}/events",
        "models.exports.list_events",
        "List an export's events.",
        Page[ExportEvent],
        reads(lambda it, model, id, /, **query: it.exports.events(model, id, **query)),
        query=PageRequest,
    ),
    Call(
        "GET",
        f"{_EXPORT}/content",
        "models.exports.content",
        "An export's files, as a tar archive.",
        None,
        content,
        media_type="application/x-tar",
    ),
)
