"""Adapters on disk in PEFT's format, keys included: peft and vLLM load ours, and we load theirs.

A directory holds `adapter_config.json` and `adapter_model.safetensors`, of each adapted layer
``base_model.model.PATH.lora_A.weight`` [rank, in] and ``lora_B`` [out, rank].
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tunewright import durable
from tunewright.errors import BadRequest, Corrupt
from tunewright.weights.lora import Adapter

CONFIG = "adapter_config.json"
TENSORS = "adapter_model.safetensors"
_PREFIX = "base_model.model."


def save_adapter(directory: Path, adapter: Adapter) -> None:
    """Write `adapter` into an existing directory, in PEFT's format.

    Not durable by itself: call it inside `durable.directory`.
    """
    tensors = {}
    for path, (a, b) in adapter.weights.items():
        tensors[f"{_PREFIX}{path}.lora_A.weight"] = a.contiguous()
        tensors[f"{_PREFIX}{path}.lora_B.weight"] = b.contiguous()
    save_file(tensors, directory / TENSORS, metadata={"format": "pt"})
    durable.write_json(directory / CONFIG, _peft_config(adapter))


def _peft_config(adapter: Adapter) -> dict[str, object]:
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": adapter.base,
        "r": adapter.rank,
        "lora_alpha": int(adapter.alpha) if adapter.alpha == int(adapter.alpha) else adapter.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "use_rslora": adapter.rslora,
        "fan_in_fan_out": adapter.transposed,
        "target_modules": sorted({_target(path) for path in adapter.weights}),
        "inference_mode": True,
        "init_lora_weights": True,
    }


def _target(path: str) -> str:
    """PEFT adapts every layer whose path ends so. A bare index would match far too many."""
    leaf = path.rpartition(".")[2]
    return path if leaf.isdigit() else leaf


# What PEFT can put into an adapter and this layer does not compute: ignoring it would serve
# another model than was trained.
_NOT_OURS = (
    "use_dora",
    "modules_to_save",
    "alpha_pattern",
    "trainable_token_indices",
    "lora_bias",
    "target_parameters",
    "layer_replication",
)


def load_adapter(directory: Path, *, verify: bool = False) -> Adapter:
    """Read an adapter in PEFT's format, ours or another's.

    verify: first compare every file with the directory's manifest.
    Raises BadRequest for what is not a plain LoRA adapter in safetensors, Corrupt for a broken file
    and for NaN or infinite values.
    """
    if not (directory / CONFIG).is_file() or not (directory / TENSORS).is_file():
        raise BadRequest(f"{directory} is not a LoRA adapter: it needs {CONFIG} and {TENSORS}.")
    if verify:
        durable.verify(directory)
    config = durable.read_json(directory / CONFIG)
    if not isinstance(config, dict) or not isinstance(config.get("lora_alpha"), int | float):
        raise Corrupt(f"{directory / CONFIG} is not the configuration of an adapter.")
    unknown = [name for name in _NOT_OURS if config.get(name)]
    if config.get("peft_type") != "LORA" or config.get("bias", "none") != "none" or unknown:
        raise BadRequest(f"{directory} is not a plain LoRA adapter ({', '.join(unknown)}).")
    return Adapter(
        weights=_pairs(directory / TENSORS),
        alpha=config["lora_alpha"],
        base=config.get("base_model_name_or_path") or "",
        rslora=bool(config.get("use_rslora")),
        transposed=bool(config.get("fan_in_fan_out")),
    )


def _pairs(file: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """By path: A [rank, in], B [out, rank]."""
    try:
        tensors = load_file(file)
    except SafetensorError as error:
        raise Corrupt(f"{file} is broken: {error}") from error
    end = ".lora_A.weight"
    paths = [key.removeprefix(_PREFIX).removesuffix(end) for key in tensors if key.endswith(end)]
    names = {f"{_PREFIX}{path}.lora_{half}.weight" for path in paths for half in "AB"}
    if not paths or names != tensors.keys():
        raise BadRequest(f"{file} does not hold pairs of lora_A and lora_B under PEFT's names.")
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise Corrupt(f"{file} holds NaN or infinite values. Tune the model again.")
    return {
        path: (
            tensors[f"{_PREFIX}{path}.lora_A.weight"],
            tensors[f"{_PREFIX}{path}.lora_B.weight"],
        )
        for path in paths
    }
