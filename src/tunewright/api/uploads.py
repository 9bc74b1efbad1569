from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from tunewright.api.acting import acting
from tunewright.api.bodies import check_encoding
from tunewright.api.call import Call, drafts, makes
from tunewright.api.crowd import lanes
from tunewright.api.multipart import PART, receive
from tunewright.api.once import once
from tunewright.api.turns import in_turn
from tunewright.records.uploads import (
    CompleteRequest,
    PartForm,
    Upload,
    UploadPart,
    UploadRequest,
)


async def add_part(request: Request) -> Response:
    check_encoding(request)
    uploads, id = acting(request).uploads, request.path_params["id"]
    # Else 64 MiB would be sent in vain.
    await in_turn(request, lanes(request).reading, lambda: uploads.pending(id))
    async with receive(request, partial(uploads.part, id), PART) as form:
        return await once(request, form.publish, before=form.seal)


async def cancel(request: Request) -> Response:
    uploads, id = acting(request).uploads, request.path_params["id"]
    answer = await once(request, lambda: uploads.move(id, status="cancelled"))
    # Files go when what they are for is surely gone.
    await in_turn(request, lanes(request).storing, uploads.sweep)
    return answer


_UPLOADS = "/v1/uploads"
calls = (
    Call(
        "POST",
        _UPLOADS,
        "uploads.create",
        "Begin to upload a file in parts.",
        Upload,
        makes(lambda it, /, **body: it.uploads.create(**body)),
        takes=UploadRequest,
    ),
    Call(
        "POST",
        _UPLOADS + "/{id}/parts",
        "uploads.parts.create",
        "Send a part, at most 64 MiB.",
        UploadPart,
        add_part,
        form=PartForm,
    ),
    Call(
        "POST",
        _UPLOADS + "/{id}/complete",
        "uploads.complete",
        "Join the parts into a file.",
        Upload,
        drafts(lambda it, id, body: it.uploads.assembly(id, body)),
        takes=CompleteRequest,
    ),
    Call(
        "POST",
        _UPLOADS + "/{id}/cancel",
        "uploads.cancel",
        "Cancel an upload and remove its parts.",
        Upload,
        cancel,
        counts="nothing",
    ),
)
