from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tunewright.api.acting import acting
from tunewright.api.bodies import read_json, read_query
from tunewright.api.crowd import answer, change
from tunewright.api.once import once


async def create(request: Request) -> Response:
    body = await read_json(request)
    name = request.path_params["checkpoint"]
    return await once(request, lambda: acting(request).permissions.create(name, **body))


async def list_(request: Request) -> Response:
    query = read_query(request)
    name = request.path_params["checkpoint"]
    return await answer(request, lambda: acting(request).permissions.list(name, **query))


async def delete(request: Request) -> Response:
    name, id = request.path_params["checkpoint"], request.path_params["id"]
    return await change(request, lambda: acting(request).permissions.delete(name, id))


# {checkpoint:path}: names of bases may hold a slash, and so do those of what is tuned from them.
_PERMISSIONS = "/v1/fine_tuning/checkpoints/{checkpoint:path}/permissions"
routes = [
    Route(_PERMISSIONS, create, methods=["POST"]),
    Route(_PERMISSIONS, list_, methods=["GET"]),
    Route(_PERMISSIONS + "/{id}", delete, methods=["DELETE"]),
]
