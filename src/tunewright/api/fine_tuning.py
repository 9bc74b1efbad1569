from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tunewright.api.acting import acting, answer
from tunewright.api.bodies import read_json, read_query
from tunewright.api.once import once


async def create(request: Request) -> Response:
    body = await read_json(request)
    return await once(request, lambda: acting(request).jobs.create(**body))


async def list_(request: Request) -> Response:
    query = read_query(request)
    return await answer(lambda: acting(request).jobs.list(**query))


async def retrieve(request: Request) -> Response:
    return await answer(lambda: acting(request).jobs.retrieve(request.path_params["id"]))


async def cancel(request: Request) -> Response:
    return await once(request, lambda: acting(request).jobs.cancel(request.path_params["id"]))


async def pause(request: Request) -> Response:
    return await answer(lambda: acting(request).jobs.pause(request.path_params["id"]))


async def resume(request: Request) -> Response:
    return await answer(lambda: acting(request).jobs.resume(request.path_params["id"]))


async def events(request: Request) -> Response:
    query = read_query(request)
    return await answer(lambda: acting(request).jobs.events(request.path_params["id"], **query))


async def checkpoints(request: Request) -> Response:
    query = read_query(request)
    id = request.path_params["id"]
    return await answer(lambda: acting(request).jobs.checkpoints(id, **query))


routes = [
    Route("/v1/fine_tuning/jobs", create, methods=["POST"]),
    Route("/v1/fine_tuning/jobs", list_, methods=["GET"]),
    Route("/v1/fine_tuning/jobs/{id}", retrieve, methods=["GET"]),
    Route("/v1/fine_tuning/jobs/{id}/cancel", cancel, methods=["POST"]),
    Route("/v1/fine_tuning/jobs/{id}/pause", pause, methods=["POST"]),
    Route("/v1/fine_tuning/jobs/{id}/resume", resume, methods=["POST"]),
    Route("/v1/fine_tuning/jobs/{id}/events", events, methods=["GET"]),
    Route("/v1/fine_tuning/jobs/{id}/checkpoints", checkpoints, methods=["GET"]),
]
