"""The names of tuned models: ``ft:{name}:{organisation}:{suffix}:{id}``.

`name` is what the job asked for, such as ``gpt-3.5-turbo``: frameworks read the family of a model
out of its name, and know none of a base here. The same model answers to the name with its real
base in that place, under which its weights stand as well (as their subject in the catalog).
"""

import re

from tunewright.answering.model import is_tuned, plain_name
from tunewright.catalog.catalog import Shelf
from tunewright.records.models import Weights

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,95}")


def asked_part(asked: str) -> str | None:
    """What a model is named by whose job asked for `asked`: of a tuned model's name, the part that
    it has from its own job. None where a name cannot hold it."""
    part = asked.split(":")[1] if asked.startswith("ft:") else asked
    return part if _PART.fullmatch(part) else None


def put_named(shelf: Shelf, weights: Weights) -> bool:
    """Put the weights of a tuned model or checkpoint, so that both of its names find them."""
    plain = plain_name(weights)
    return shelf.put(weights, subject=None if plain == weights.id else plain)


def first_name(shelf: Shelf, name: str) -> str:
    """The name under which a tuned model is kept, where `name` is its other one; else `name`."""
    if not is_tuned(name) or shelf.get(Weights, name):
        return name
    found = shelf.page(Weights, limit=1, subject=name).data
    return found[0].id if found else name
