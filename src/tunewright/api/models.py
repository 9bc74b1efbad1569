from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tunewright.api.acting import acting
from tunewright.api.crowd import answer, change


async def list_(request: Request) -> Response:
    return await answer(request, lambda: acting(request).models.list())


async def retrieve(request: Request) -> Response:
    return await answer(request, lambda: acting(request).models.retrieve(request.path_params["id"]))


async def delete(request: Request) -> Response:
    return await change(request, lambda: acting(request).models.delete(request.path_params["id"]))


# {id:path}: names of hub models hold a slash, and SDK 1.x sends it unescaped.
routes = [
    Route("/v1/models", list_, methods=["GET"]),
    Route("/v1/models/{id:path}", retrieve, methods=["GET"]),
    Route("/v1/models/{id:path}", delete, methods=["DELETE"]),
]
