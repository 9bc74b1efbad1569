"""The files of each target, and the model that they are when they are read back."""

import shutil
from pathlib import Path

import torch
from transformers import PreTrainedModel

from tunewright import durable
from tunewright.exporting.recipe import Recipe
from tunewright.rendering.configuration import read_object
from tunewright.training.saving import copy_companions, stored_dtype
from tunewright.weights.base import load_base, refuse_nonfinite
from tunewright.weights.lora import add, select
from tunewright.weights.merging import merge
from tunewright.weights.peft import load_adapter, save_adapter

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
_SHARD = "4GB"


def write_peft(recipe: Recipe) -> None:
    """`adapter_config.json` and `adapter_model.safetensors`, as peft and vLLM read them."""
    assert recipe.adapter is not None
    save_adapter(recipe.directory, load_adapter(recipe.adapter, verify=True))
    copy_companions(recipe.weights, recipe.directory)


def read_peft(recipe: Recipe) -> PreTrainedModel:
    model = load_base(recipe.weights, dtype=stored_dtype(recipe.weights))
    add(model, 0, load_adapter(recipe.directory))
    select(model, 0)
    return model


def write_merged(recipe: Recipe) -> None:
    """A directory that loads by itself: config, weights, tokenizer, template."""
    assert recipe.dtype is not None
    dtype = DTYPES[recipe.dtype]
    model = load_base(recipe.weights, dtype=loaded_dtype(recipe.weights, dtype))
    if recipe.adapter is not None:
        merge(model, load_adapter(recipe.adapter, verify=True))
    torch.nn.Module.to(model, "cpu")
    model.to(dtype)  # pyright: ignore[reportArgumentType]
    refuse_nonfinite(model, "the merged model")
    model.save_pretrained(recipe.directory, max_shard_size=_SHARD)
    _write_config(recipe.weights, recipe.directory, dtype)
    copy_companions(recipe.weights, recipe.directory)
    copy_licences(recipe.start, recipe.directory)


def _write_config(base: Path, directory: Path, dtype: torch.dtype) -> None:
    """The base's own, and what older readers look for as well: transformers 5 writes the rotation
    of positions in a form that transformers 4 reads past, to compute with another one."""
    config = read_object(base / "config.json")
    rope = config.get("rope_parameters")
    if isinstance(rope, dict) and "rope_theta" in rope:
        config.setdefault("rope_theta", rope["rope_theta"])
        if rope.get("rope_type", "default") != "default":
            config.setdefault("rope_scaling", rope)
    name = str(dtype).removeprefix("torch.")
    durable.write_json(directory / "config.json", {**config, "dtype": name, "torch_dtype": name})


def read_merged(recipe: Recipe) -> PreTrainedModel:
    return load_base(recipe.directory, dtype=stored_dtype(recipe.directory))


def loaded_dtype(weights: Path, dtype: torch.dtype) -> torch.dtype:
    """What weights are loaded in that are to be written in `dtype`: rounded once only."""
    return dtype if stored_dtype(weights) == dtype else torch.float32


def copy_licences(base: Path, directory: Path) -> None:
    for file in base.glob("LICENSE*"):
        shutil.copyfile(file, directory / file.name)
