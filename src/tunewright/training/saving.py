"""A tuned model as a directory that loads by itself: an adapter, or whole weights."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import AutoConfig, PreTrainedModel

from tunewright import durable
from tunewright.errors import JobFailed
from tunewright.faults import fault
from tunewright.training.recipe import Recipe
from tunewright.weights.lora import adapter_of
from tunewright.weights.peft import save_adapter

# What a base's directory may hold besides weights; named, so that nothing else is carried along.
_COMPANIONS = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
)


def base_fingerprint(base: Path) -> str | None:
    """None where the base has no manifest."""
    return durable.fingerprint(base) if (base / durable.MANIFEST).is_file() else None


def write_model(directory: Path, model: PreTrainedModel, recipe: Recipe) -> None:
    """Write what was trained into an existing directory, ready to be loaded and served.

    Whole weights are rounded to the dtype that the base is stored in.
    Raises JobFailed (training_diverged) where a trained weight is NaN or infinite.
    """
    _refuse_nonfinite(model)
    if recipe.adaptation == "lora":
        save_adapter(directory, adapter_of(model, 0, base=recipe.base_name))
    else:
        with _rounded(model, stored_dtype(recipe.base)):
            model.save_pretrained(directory)
    fault("model.half")
    copy_companions(recipe.base, directory)  # after the weights: its own generation config counts


def copy_companions(base: Path, directory: Path) -> None:
    """Tokenizer, template and generation config of a base, into an existing directory."""
    for name in _COMPANIONS:
        if (base / name).is_file():
            shutil.copyfile(base / name, directory / name)


def stored_dtype(base: Path) -> torch.dtype:
    stored = AutoConfig.from_pretrained(base, local_files_only=True).dtype
    return stored if isinstance(stored, torch.dtype) else torch.float32


@contextmanager
def _rounded(model: PreTrainedModel, dtype: torch.dtype) -> Iterator[None]:
    """Inside, the parameters are in `dtype`; afterwards what they were. Tied ones stay tied."""
    exact = [(parameter, parameter.data) for parameter in model.parameters()]
    try:
        for parameter, data in exact:
            parameter.data = data.to(dtype)
        yield
    finally:
        for parameter, data in exact:
            parameter.data = data


def _refuse_nonfinite(model: PreTrainedModel) -> None:
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    if not all(torch.isfinite(weight).all() for weight in trained):
        raise JobFailed(
            "The training diverged: its weights are no longer finite. "
            + "Use a smaller learning_rate_multiplier.",
            code="training_diverged",
        )
