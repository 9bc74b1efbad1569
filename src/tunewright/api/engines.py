"""OpenAI's first API: a model was an engine, and its name stood in the path.

SDK 0.28 still calls it for `engine=` and `deployment_id=`, and its `embeddings_utils` always do.
`bodies.read_json` puts the engine's name where the body would have `model`.
"""

from dataclasses import replace

from tunewright.api import embeddings, generating
from tunewright.api.call import Call, reads
from tunewright.app import Acting
from tunewright.records.models import Engine, Model
from tunewright.records.pages import Page


def _list(it: Acting) -> Page[Engine]:
    return Page[Engine](data=[_engine(model) for model in it.models.list().data])


def _engine(model: Model) -> Engine:
    return Engine(id=model.id, owner=model.owned_by)


def _named_by_its_path(call: Call) -> Call:
    return replace(
        call,
        path=call.path.replace("/v1/", "/v1/engines/{engine:path}/"),
        name=f"engines.{call.name}",
        summary=f"{call.summary.rstrip('.')}; the path names the model.",
        optional=("model",),
    )


# {engine:path}: names of hub models hold a slash. The calls stand before the look-up for that.
calls = (
    *map(_named_by_its_path, (*generating.calls, *embeddings.calls)),
    Call(
        "GET",
        "/v1/engines",
        "engines.list",
        "Models, as SDK 0.28 knew them.",
        Page[Engine],
        reads(_list),
    ),
    Call(
        "GET",
        "/v1/engines/{id:path}",
        "engines.retrieve",
        "A model, as SDK 0.28 knew it.",
        Engine,
        reads(lambda it, id: _engine(it.models.retrieve(id))),
    ),
)
