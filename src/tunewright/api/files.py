from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tunewright.api.acting import acting
from tunewright.api.bodies import check_encoding, read_json, read_query
from tunewright.api.crowd import answer, change, lanes
from tunewright.api.multipart import receive
from tunewright.api.once import once
from tunewright.api.responses import record_response
from tunewright.api.turns import by_turns, in_turn


async def create(request: Request) -> Response:
    check_encoding(request)
    async with receive(request, acting(request).files.draft) as form:
        return await once(request, form.publish, before=form.seal)


async def list_(request: Request) -> Response:
    query = read_query(request)
    return await answer(request, lambda: acting(request).files.list(**query))


async def retrieve(request: Request) -> Response:
    return await answer(request, lambda: acting(request).files.retrieve(request.path_params["id"]))


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


async def delete(request: Request) -> Response:
    return await change(request, lambda: acting(request).files.delete(request.path_params["id"]))


routes = [
    Route("/v1/files", create, methods=["POST"]),
    Route("/v1/files", list_, methods=["GET"]),
    Route("/v1/files/{id}", retrieve, methods=["GET"]),
    Route("/v1/files/{id}", delete, methods=["DELETE"]),
    Route("/v1/files/{id}/check", check, methods=["POST"]),
    Route("/v1/files/{id}/content", content, methods=["GET"]),
]
