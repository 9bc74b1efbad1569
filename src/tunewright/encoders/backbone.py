"""The transformer of an embedding model: token ids in, a hidden state for each of them out."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding, PreTrainedModel
from transformers.utils import logging as transformers_logging

from tunewright.errors import Corrupt
from tunewright.weights.base import loaded_from, refuse_nonfinite

transformers_logging.disable_progress_bar()  # a server's log is no terminal
# Of these AutoModel gives the decoder too, and wants its inputs.
_ENCODERS_OF_PAIRS = frozenset({"t5", "mt5", "umt5", "t5gemma"})
# Reads the hidden states, which are what is pooled here; sentence-transformers leaves it out too.
_POOLER = "pooler"


def load_backbone(
    directory: Path, *, dtype: torch.dtype = torch.float32, device: torch.device | None = None
) -> PreTrainedModel:
    """The transformer in `directory` without any head, in eval mode, on `device` (None: the CPU).

    directory: of its config.json and safetensors. Nothing is downloaded and no code of it runs.
    Raises BadRequest for a directory that holds none, Corrupt where a file is broken or a weight is
    missing, surplus, of another shape, NaN or infinite; MemoryError.
    """
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # it reports at length what is looked at below
    try:
        model, report = loaded_from(_auto(directory), directory, "an encoder", dtype=dtype)
    finally:
        transformers_logging.set_verbosity(before)
    _refuse_misfits(model, directory, report)
    if getattr(model, _POOLER, None) is not None:
        setattr(model, _POOLER, None)
    refuse_nonfinite(model, str(directory))
    torch.nn.Module.to(model, device or torch.device("cpu"))
    return model.eval()


def hidden_states(model: PreTrainedModel, ids: Tensor, mask: Tensor) -> Tensor:
    """[rows, time, h], in the model's dtype, of ids and mask [rows, time] (1 for a token, 0 for
    padding, which is on the right). What is at a padded place means nothing."""
    return model(input_ids=ids, attention_mask=mask, **_without_cache(model)).last_hidden_state


def padded(model: PreTrainedModel, inputs: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Ids and mask [inputs, time], padded on the right whatever the tokenizer would do: a token's
    position is then its place, also where a model counts none or knows padding by its id."""
    longest, padding = max(map(len, inputs)), _padding(model)
    rows = [[*ids, *[padding] * (longest - len(ids))] for ids in inputs]
    lengths = torch.tensor([len(ids) for ids in inputs])
    mask = (torch.arange(longest) < lengths[:, None]).long()  # [inputs, time]
    return torch.tensor(rows).to(model.device), mask.to(model.device)


def vocabulary(model: PreTrainedModel) -> int:
    return model.get_input_embeddings().get_parameter("weight").shape[0]


def positions(model: PreTrainedModel) -> int | None:
    """Most tokens of an input; None where the model counts no positions."""
    most = getattr(model.config, "max_position_embeddings", None)
    if not isinstance(most, int) or most < 1:
        return None
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    # RoBERTa's kind begins to count behind the padding's id.
    padding = getattr(table, "padding_idx", None)
    return most - 1 - padding if padding else most


def _padding(model: PreTrainedModel) -> int:
    id = getattr(model.config, "pad_token_id", None)
    return id if isinstance(id, int) and 0 <= id < vocabulary(model) else 0


def _without_cache(model: PreTrainedModel) -> dict[str, Any]:
    takes = inspect.signature(model.forward).parameters
    return {"use_cache": False} if "use_cache" in takes else {}


def _auto(directory: Path) -> Any:
    try:
        kind = AutoConfig.from_pretrained(directory, local_files_only=True).model_type
    except (OSError, ValueError, KeyError, ImportError):
        return AutoModel  # which says what is wrong
    return AutoModelForTextEncoding if kind in _ENCODERS_OF_PAIRS else AutoModel


def _refuse_misfits(model: PreTrainedModel, directory: Path, report: dict[str, Any]) -> None:
    """A head that the file holds is left out. What is surplus inside the transformer is not: its
    config.json then is of another model."""
    inside = {name for name, _ in model.named_children()}
    surplus = [key for key in report["unexpected_keys"] if _top(model, key) in inside]
    missing = [key for key in report["missing_keys"] if _top(model, key) != _POOLER]
    for what, keys in (
        ("lacks weights", missing),
        ("holds weights that its config.json has no place for", surplus),
        ("holds weights of other shapes than its config.json", report["mismatched_keys"]),
    ):
        names = [key if isinstance(key, str) else key[0] for key in keys]
        if names:
            raise Corrupt(f"{directory} {what}, among them {min(names)}. Fetch the model again.")


def _top(model: PreTrainedModel, key: str) -> str:
    """The part of the model that a weight belongs to: `encoder` of `bert.encoder.layer.0...`."""
    return key.removeprefix(f"{model.base_model_prefix}.").partition(".")[0]
