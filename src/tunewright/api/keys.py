from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tunewright.api.acting import acting
from tunewright.api.bodies import read_json, read_query
from tunewright.api.crowd import answer, change


async def create(request: Request) -> Response:
    body = await read_json(request)
    return await change(request, lambda: acting(request).keys.create(**body))


async def list_(request: Request) -> Response:
    query = read_query(request)
    return await answer(request, lambda: acting(request).keys.list(**query))


async def retrieve(request: Request) -> Response:
    return await answer(request, lambda: acting(request).keys.retrieve(request.path_params["id"]))


async def delete(request: Request) -> Response:
    return await change(request, lambda: acting(request).keys.delete(request.path_params["id"]))


# OpenAI's admin API keys. Other than there, these keys open all the other calls as well.
routes = [
    Route("/v1/organization/admin_api_keys", create, methods=["POST"]),
    Route("/v1/organization/admin_api_keys", list_, methods=["GET"]),
    Route("/v1/organization/admin_api_keys/{id}", retrieve, methods=["GET"]),
    Route("/v1/organization/admin_api_keys/{id}", delete, methods=["DELETE"]),
]
