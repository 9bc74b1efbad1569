import re
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tunewright.api.acting import acting
from tunewright.api.bodies import read_json, read_query
from tunewright.api.crowd import answer, change
from tunewright.api.once import once
from tunewright.errors import BadRequest

_METADATA = re.compile(r"metadata\[(.*)\]", re.DOTALL)


async def create(request: Request) -> Response:
    body = await read_json(request)
    draft = acting(request).jobs.draft(body)
    try:
        return await once(request, draft.publish, before=draft.seal)
    finally:
        await run_in_threadpool(draft.close)


async def list_(request: Request) -> Response:
    query = _with_metadata(read_query(request))
    return await answer(request, lambda: acting(request).jobs.list(**query))


async def retrieve(request: Request) -> Response:
    return await answer(request, lambda: acting(request).jobs.retrieve(request.path_params["id"]))


async def cancel(request: Request) -> Response:
    return await once(request, lambda: acting(request).jobs.cancel(request.path_params["id"]))


async def pause(request: Request) -> Response:
    return await once(request, lambda: acting(request).jobs.pause(request.path_params["id"]))


async def resume(request: Request) -> Response:
    return await once(request, lambda: acting(request).jobs.resume(request.path_params["id"]))


async def delete(request: Request) -> Response:
    return await change(request, lambda: acting(request).jobs.delete(request.path_params["id"]))


async def events(request: Request) -> Response:
    query = read_query(request)
    return await answer(
        request, lambda: acting(request).jobs.events(request.path_params["id"], **query)
    )


async def checkpoints(request: Request) -> Response:
    query = read_query(request)
    id = request.path_params["id"]
    return await answer(request, lambda: acting(request).jobs.checkpoints(id, **query))


def _with_metadata(query: dict[str, Any]) -> dict[str, Any]:
    """``metadata[key]=value``, as often as there are keys, becomes one object.

    Raises BadRequest where ``metadata=null`` is given beside them.
    """
    named = {name: _METADATA.fullmatch(name) for name in query}
    pairs = {found[1]: query[name] for name, found in named.items() if found}
    if pairs and "metadata" in query:
        raise BadRequest(
            "Give either metadata[key]=value or metadata=null, not both.", param="metadata"
        )
    rest = {name: value for name, value in query.items() if not named[name]}
    return {**rest, "metadata": pairs} if pairs else rest


routes = [
    Route("/v1/fine_tuning/jobs", create, methods=["POST"]),
    Route("/v1/fine_tuning/jobs", list_, methods=["GET"]),
    Route("/v1/fine_tuning/jobs/{id}", retrieve, methods=["GET"]),
    Route("/v1/fine_tuning/jobs/{id}", delete, methods=["DELETE"]),
    Route("/v1/fine_tuning/jobs/{id}/cancel", cancel, methods=["POST"]),
    Route("/v1/fine_tuning/jobs/{id}/pause", pause, methods=["POST"]),
    Route("/v1/fine_tuning/jobs/{id}/resume", resume, methods=["POST"]),
    Route("/v1/fine_tuning/jobs/{id}/events", events, methods=["GET"]),
    Route("/v1/fine_tuning/jobs/{id}/checkpoints", checkpoints, methods=["GET"]),
]
