"""How attention is computed in a job: as it began, wherever it is resumed; else as is faster here.

    HOME/speed.json          also, by device and dtype: what was faster, for all jobs
    FOLDER/attention.json    "sdpa" or "products": the job's

Another way changes the last bits of the weights, so nothing is tried twice.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedModel

from tunewright import durable
from tunewright.errors import Corrupt, StorageFull
from tunewright.training import speed
from tunewright.training.examples import Sample
from tunewright.training.ranks import Ranks
from tunewright.training.recipe import Recipe
from tunewright.training.selfcheck import Verdict, examine
from tunewright.weights.attention import PRODUCTS, Attention, faster, implementation, use
from tunewright.weights.base import compute_dtype

FILE = "attention.json"
_WAYS: tuple[Attention, Attention] = ("sdpa", PRODUCTS)


def examined(
    model: PreTrainedModel, samples: Sequence[Sample], recipe: Recipe, folder: Path, ranks: Ranks
) -> Verdict:
    """Which plans hold, with `model` computing attention as the job in `folder` will: by products
    only where all that holds without them holds with them. The leader's choice for all ranks."""
    leads = ranks.rank == 0
    chosen = (_kept(folder) or _machines(recipe.speed, model.device.type)) if leads else "sdpa"
    (number,) = ranks.of_leader([float(_WAYS.index(chosen))])
    if _WAYS[int(number)] == "sdpa" or not use(model, PRODUCTS):
        return examine(model, samples)
    found = examine(model, samples)
    if found.way != "rows" and not found.refused:
        return found
    use(model, "sdpa")
    plain = examine(model, samples)
    if plain == found and plain.way != "rows":
        use(model, PRODUCTS)
    return plain


def _machines(file: Path | None, device: str) -> Attention:
    """What cannot be written down is tried again by the next job."""
    if device != "cpu":
        return "sdpa"
    name = f"attention, {speed.name_of()}"
    known = speed.read(file).get(name) if file else None
    if known in _WAYS:
        return known
    found = faster(device, compute_dtype())
    if file:
        with contextlib.suppress(OSError, StorageFull):
            durable.write_json(file, {**speed.read(file), name: found})
    return found


def way(model: PreTrainedModel) -> Attention:
    return PRODUCTS if implementation(model) == PRODUCTS else "sdpa"


def keep(folder: Path, model: PreTrainedModel) -> None:
    """With the job, before its first step."""
    if _kept(folder) != way(model):
        durable.write_json(folder / FILE, way(model))


def _kept(folder: Path) -> Attention | None:
    """None where there is no such file, or a damaged one: it is written anew."""
    try:
        found = durable.read_json(folder / FILE)
    except (FileNotFoundError, Corrupt):
        return None
    return next((way for way in _WAYS if way == found), None)
