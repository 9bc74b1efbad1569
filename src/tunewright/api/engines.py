"""OpenAI's first API: a model was an engine, and its name stood in the path.

SDK 0.28 still calls it for `engine=` and `deployment_id=`, and its `embeddings_utils` always do.
`bodies.read_json` puts the engine's name where the body would have `model`.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tunewright.api import chat, completions, embeddings
from tunewright.api.acting import acting
from tunewright.api.crowd import answer
from tunewright.records.models import Engine, Model
from tunewright.records.pages import Page


async def list_(request: Request) -> Response:
    return await answer(
        request,
        lambda: Page[Engine](data=[_engine(model) for model in acting(request).models.list().data]),
    )


async def retrieve(request: Request) -> Response:
    return await answer(
        request, lambda: _engine(acting(request).models.retrieve(request.path_params["id"]))
    )


def _engine(model: Model) -> Engine:
    return Engine(id=model.id, owner=model.owned_by)


# {engine:path}: names of hub models hold a slash. The calls stand before the look-up for that.
routes = [
    Route("/v1/engines/{engine:path}/embeddings", embeddings.create, methods=["POST"]),
    Route("/v1/engines/{engine:path}/chat/completions", chat.create, methods=["POST"]),
    Route("/v1/engines/{engine:path}/completions", completions.create, methods=["POST"]),
    Route("/v1/engines", list_, methods=["GET"]),
    Route("/v1/engines/{id:path}", retrieve, methods=["GET"]),
]
