from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tunewright.api.acting import acting
from tunewright.api.bodies import check_encoding, read_json
from tunewright.api.crowd import lanes
from tunewright.api.multipart import PART, receive
from tunewright.api.once import once
from tunewright.api.turns import in_turn


async def create(request: Request) -> Response:
    body = await read_json(request)
    return await once(request, lambda: acting(request).uploads.create(**body))


async def add_part(request: Request) -> Response:
    check_encoding(request)
    uploads, id = acting(request).uploads, request.path_params["id"]
    # Else 64 MiB would be sent in vain.
    await in_turn(request, lanes(request).reading, lambda: uploads.pending(id))
    async with receive(request, partial(uploads.part, id), PART) as form:
        return await once(request, form.publish, before=form.seal)


async def complete(request: Request) -> Response:
    body = await read_json(request)
    assembly = acting(request).uploads.assembly(request.path_params["id"], body)
    try:
        return await once(request, assembly.publish, before=assembly.seal)
    finally:
        await run_in_threadpool(assembly.close)


async def cancel(request: Request) -> Response:
    uploads, id = acting(request).uploads, request.path_params["id"]
    answer = await once(request, lambda: uploads.move(id, status="cancelled"))
    # Files go when what they are for is surely gone.
    await in_turn(request, lanes(request).storing, uploads.sweep)
    return answer


routes = [
    Route("/v1/uploads", create, methods=["POST"]),
    Route("/v1/uploads/{id}/parts", add_part, methods=["POST"]),
    Route("/v1/uploads/{id}/complete", complete, methods=["POST"]),
    Route("/v1/uploads/{id}/cancel", cancel, methods=["POST"]),
]
