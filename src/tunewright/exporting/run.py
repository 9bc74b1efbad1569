"""One export: write, read back, compare."""

from collections.abc import Callable

import torch
from transformers import PreTrainedModel

from tunewright.exporting import gate, gguf_files, writing
from tunewright.exporting.gate import Figures, Reference
from tunewright.exporting.recipe import Recipe
from tunewright.exporting.report import Said, Step
from tunewright.exporting.scoring import Rounded, figures, rounding
from tunewright.training.saving import stored_dtype
from tunewright.weights.base import load_base
from tunewright.weights.lora import add, select
from tunewright.weights.peft import load_adapter

_WAYS = {
    "peft": (writing.write_peft, writing.read_peft),
    "merged": (writing.write_merged, writing.read_merged),
    "gguf": (gguf_files.write_gguf, gguf_files.read_gguf),
    "ollama": (gguf_files.write_ollama, gguf_files.read_gguf),
}
_DTYPES: dict[str, Rounded] = {
    "bf16": torch.bfloat16,
    "fp32": torch.float32,
    "f16": torch.float16,
    "q8_0": "q8_0",
    "q4_0": "q4_0",
}


def run(recipe: Recipe, report: Callable[[Said], None]) -> None:
    """Fill `recipe.directory`, and say with `Compared` whether it is the model."""
    write, read = _WAYS[recipe.to]
    report(Step("reference", "Computing what the served model gives"))
    reference = _reference(recipe)
    report(Step("writing", _said(recipe)))
    write(recipe)
    report(Step("reading", f"Reading the files back and comparing {len(recipe.rows)} rows"))
    found = figures(read(recipe), recipe.rows)
    report(gate.compare(reference, found, _base_quantised(recipe)))


def _base_quantised(recipe: Recipe) -> list[Figures] | None:
    """Of the base in the same kind of file; None where nothing but single numbers is rounded."""
    if recipe.dtype not in ("q8_0", "q4_0") or (
        recipe.weights == recipe.start and not recipe.adapter
    ):
        return None
    return figures(gguf_files.read_base(recipe), recipe.rows)


def _said(recipe: Recipe) -> str:
    what = "the adapter" if recipe.dtype is None else f"the merged weights in {recipe.dtype}"
    return f"Writing {what} ({recipe.to})"


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
    change = rounding(_rounded_layers(recipe, model))
    return figures(model, recipe.rows, change) if change else None


def _rounded_layers(recipe: Recipe, model: PreTrainedModel) -> dict[torch.nn.Module, Rounded]:
    """In what each is written that is rounded."""
    assert recipe.dtype is not None
    dtype = _DTYPES[recipe.dtype]
    held = {torch.bfloat16: (torch.bfloat16, torch.float16), torch.float32: (torch.float32,)}
    stored = stored_dtype(recipe.weights)
    if dtype not in held.get(stored, (stored,)):
        layers: dict[torch.nn.Module, Rounded] = dict.fromkeys(model.modules(), dtype)
        ends = (model.get_input_embeddings(), model.get_output_embeddings())
        if dtype == "q4_0":  # as `gguf.making` has it
            layers |= {end: "q8_0" for end in ends if end is not None}
        return layers
    if recipe.adapter is None:
        return {}
    return {model.get_submodule(path): dtype for path in load_adapter(recipe.adapter).weights}
