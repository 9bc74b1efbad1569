"""Tuned models without a training: their records, and files whose content nobody reads."""

from typing import Any, Literal

from tunewright import durable
from tunewright.app import Tunewright
from tunewright.records.models import Model, Weights
from tunewright.resources.naming import put_named


def put_tuned(
    tw: Tunewright,
    name: str = "ft:builtin-chat:personal:parent:1",
    adaptation: Literal["lora", "full"] = "lora",
    **fields: Any,
) -> Weights:
    """A tuned model of the home's first organisation, with two files of weights."""
    directory = tw.home.models / name.replace(":", "-")
    with durable.directory(directory) as filling:
        durable.write_json(filling / "adapter_config.json", {"r": 4})
        for part in ("adapter_model.safetensors", "more.safetensors"):
            durable.write_bytes(filling / part, part.encode() * 1000)
    base = tw.models.weights("builtin-chat", ("chat",))
    update = {
        "id": name,
        "adaptation": adaptation,
        "directory": str(directory.relative_to(tw.home.root)),
        "job": "ftjob-parent",
        **fields,
    }
    weights = base.model_copy(update=update)
    shelf = tw.acting(tw.owner).shelf
    put_named(shelf, weights)
    shelf.put(Model(id=name, owned_by=tw.owner.name))
    return weights
