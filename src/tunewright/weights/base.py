"""A directory of safetensors becomes a model in memory."""

import functools
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from tunewright import durable
from tunewright.errors import BadRequest, Corrupt

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


@functools.cache
def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@functools.cache
def compute_dtype() -> torch.dtype:
    """bfloat16 where the hardware multiplies it fast, else float32.

    A CPU without avx512_bf16 or AMX runs bfloat16 several times slower than float32.
    """
    if device().type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    capable = torch.cpu.get_capabilities()
    fast = capable.get("avx512_bf16") or capable.get("amx_bf16")
    return torch.bfloat16 if fast else torch.float32


def load_base(
    directory: Path, *, dtype: torch.dtype | None = None, verify: bool = False
) -> PreTrainedModel:
    """The causal language model in `directory`, on `device()`, in eval mode.

    dtype: of the weights in memory; `compute_dtype()` when not given. Nothing is downloaded and no
    code of the directory runs. verify: first compare every file with the directory's manifest.

    Raises BadRequest for a directory that is not such a model, Corrupt where a file is broken or
    differs from its manifest, or a weight is missing, NaN or infinite.
    """
    _refuse_other_formats(directory)
    if verify:
        durable.verify(directory)
    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            directory,
            config=config,
            dtype=dtype or compute_dtype(),
            attn_implementation=_attention(config),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except SafetensorError as error:
        raise Corrupt(f"The weights in {directory} are broken: {error}") from error
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise BadRequest(
            f"{directory} cannot be loaded as a causal language model: {error}"
        ) from error
    model, report = loaded
    if report["missing_keys"]:  # transformers fills them with random numbers and only warns
        raise Corrupt(f"{directory} lacks weights, among them {min(report['missing_keys'])}.")
    refuse_nonfinite(model, str(directory))
    torch.nn.Module.to(model, device())  # the stubs of PreTrainedModel.to know no device
    return model.eval()


def _refuse_other_formats(directory: Path) -> None:
    if (directory / "adapter_config.json").is_file():
        # transformers would quietly load the base that the adapter names, from anywhere.
        raise BadRequest(f"{directory} holds an adapter, not a base model. Name its base instead.")
    if not (directory / "config.json").is_file():
        raise BadRequest(f"{directory} has no config.json: it is not a model's directory.")
    if not any((directory / name).is_file() for name in _WEIGHTS):
        raise BadRequest(
            f"{directory} holds no safetensors weights. Only safetensors are loaded, because "
            "other formats can run code: save the model again as safetensors."
        )


def _attention(config: PretrainedConfig) -> str:
    """sdpa has no soft cap on attention scores (Gemma 2): there it would compute another model."""
    text = config.get_text_config()
    return "eager" if getattr(text, "attn_logit_softcapping", None) else "sdpa"


def refuse_nonfinite(model: torch.nn.Module, name: str) -> None:
    """Raises Corrupt naming the first weight of `model` that holds a NaN or an infinity."""
    for path, weight in model.named_parameters():
        if weight.numel() and not all(torch.isfinite(end) for end in weight.detach().aminmax()):
            raise Corrupt(f"The weight {path} of {name} is NaN or infinite. Fetch the model again.")


# Below so many parameters a step is too short to be divided: waiting for a second thread costs more
# than it brings, and on a busy machine several times more (4M parameters, 2 loaded cores: 8 ms a
# generated token with one thread, 40 with two; a training step 0.3 s with one, 5 with two).
_SMALL = 20_000_000
_ALL_THREADS = torch.get_num_threads()


def threads(model: PreTrainedModel) -> int:
    """How many threads of this process's share are worth using for `model`."""
    return 1 if model.num_parameters() < _SMALL else _ALL_THREADS
