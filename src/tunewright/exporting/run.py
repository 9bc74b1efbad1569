"""One export: write, read back, compare."""

from collections.abc import Callable

import torch
from transformers import PreTrainedModel

from tunewright.exporting import gate, writing
from tunewright.exporting.gate import Figures, Reference
from tunewright.exporting.recipe import Recipe
from tunewright.exporting.report import Said, Step
from tunewright.exporting.scoring import figures, rounding
from tunewright.training.saving import stored_dtype
from tunewright.weights.base import load_base
from tunewright.weights.lora import add, select
from tunewright.weights.peft import load_adapter

_WAYS = {
    "peft": (writing.write_peft, writing.read_peft),
    "merged": (writing.write_merged, writing.read_merged),
}


def run(recipe: Recipe, report: Callable[[Said], None]) -> None:
    """Fill `recipe.directory`, and say with `Compared` whether it is the model."""
    write, read = _WAYS[recipe.to]
    report(Step("reference", "Computing what the served model gives"))
    reference = _reference(recipe)
    report(Step("writing", _said(recipe)))
    write(recipe)
    report(Step("reading", f"Reading the files back and comparing {len(recipe.rows)} rows"))
    report(gate.compare(reference, figures(read(recipe), recipe.rows)))


def _said(recipe: Recipe) -> str:
    what = "the adapter" if recipe.to == "peft" else f"the merged weights in {recipe.dtype}"
    return f"Writing {what}"


def _reference(recipe: Recipe) -> Reference:
    model = load_base(recipe.start, dtype=stored_dtype(recipe.start))
    base = figures(model, recipe.rows)
    rounded = _rounded(recipe, model)
    if recipe.adapter is not None:
        add(model, 0, load_adapter(recipe.adapter, verify=True))
        select(model, 0)
        return Reference(base, rounded, figures(model, recipe.rows))
    if recipe.weights == recipe.start:
        return Reference(base, rounded, None)
    del model
    tuned = load_base(recipe.weights, dtype=stored_dtype(recipe.weights))
    return Reference(base, rounded, figures(tuned, recipe.rows))


def _rounded(recipe: Recipe, model: PreTrainedModel) -> list[Figures] | None:
    """The base where as many weights are rounded as the export rounds."""
    if recipe.dtype is None:
        return None
    dtype = writing.DTYPES[recipe.dtype]
    change = rounding(_rounded_layers(recipe, model, dtype), dtype)
    return figures(model, recipe.rows, change) if change else None


def _rounded_layers(
    recipe: Recipe, model: PreTrainedModel, dtype: torch.dtype
) -> list[torch.nn.Module]:
    if stored_dtype(recipe.weights) != dtype:
        return list(model.modules())
    if recipe.adapter is None:
        return []
    return [model.get_submodule(path) for path in load_adapter(recipe.adapter).weights]
