from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tunewright.api.acting import acting
from tunewright.api.bodies import check_encoding, read_json
from tunewright.api.call import Call, changes, reads
from tunewright.api.crowd import lanes
from tunewright.api.multipart import receive
from tunewright.api.once import once
from tunewright.api.responses import record_response
from tunewright.api.turns import by_turns, in_turn
from tunewright.records.checks import FileCheck, FileCheckRequest
from tunewright.records.files import File, FileForm
from tunewright.records.pages import Deleted, FilePageRequest, Page


async def create(request: Request) -> Response:
    check_encoding(request)
    async with receive(request, acting(request).files.draft) as form:
        return await once(request, form.publish, before=form.seal)


async def content(request: Request) -> Response:
    files, id = acting(request).files, request.path_params["id"]
    file, pieces = await in_turn(
        request, lanes(request).reading, lambda: (files.retrieve(id), files.content(id))
    )
    return StreamingResponse(
        iterate_in_threadpool(pieces),
        media_type="application/octet-stream",
        headers={"content-length": str(file.bytes)},
    )


async def check(request: Request) -> Response:
    body = await read_json(request, empty=True)
    files, id = acting(request).files, request.path_params["id"]
    steps = files.checking(id, **body)
    return record_response(await by_turns(request, lanes(request).checks, steps))


calls = (
    Call("POST", "/v1/files", "files.create", "Store a file.", File, create, form=FileForm),
    Call(
        "GET",
        "/v1/files",
        "files.list",
        "List files.",
        Page[File],
        reads(lambda it, /, **query: it.files.list(**query)),
        query=FilePageRequest,
    ),
    Call(
        "GET",
        "/v1/files/{id}",
        "files.retrieve",
        "A file's record.",
        File,
        reads(lambda it, id: it.files.retrieve(id)),
    ),
    Call(
        "DELETE",
        "/v1/files/{id}",
        "files.delete",
        "Delete a file.",
        Deleted,
        changes(lambda it, id: it.files.delete(id)),
    ),
    Call("GET", "/v1/files/{id}/content", "files.content", "A file's bytes.", None, content),
    Call(
        "POST",
        "/v1/files/{id}/check",
        "files.check",
        "Check a file as a job would.",
        FileCheck,
        check,
        takes=FileCheckRequest,
        empty=True,
    ),
)
