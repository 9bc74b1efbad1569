"""A directory of safetensors becomes a model in memory."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from tunewright import durable
from tunewright.errors import BadRequest, Corrupt
from tunewright.settings import Settings
from tunewright.weights import norms
from tunewright.weights.memory import out_of_memory

DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_computing: ContextVar[torch.dtype | None] = ContextVar("_computing", default=None)
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


@functools.cache
def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_dtype() -> torch.dtype:
    """What products are computed in: inside `computing_in` what it was given, else what the setting
    `compute_dtype` says."""
    return _computing.get() or _as_set()


@contextmanager
def computing_in(dtype: torch.dtype) -> Iterator[None]:
    before = _computing.set(dtype)
    try:
        yield
    finally:
        _computing.reset(before)


def named_dtype(name: str) -> torch.dtype:
    """Of a value of the setting `compute_dtype`."""
    return fastest_dtype() if name == "auto" else DTYPES[name]


@functools.cache
def _as_set() -> torch.dtype:
    return named_dtype(Settings().compute_dtype)


@functools.cache
def fastest_dtype() -> torch.dtype:
    """bfloat16 where the hardware multiplies it fast, else float32.

    A CPU without avx512_bf16 or AMX runs bfloat16 several times slower than float32.
    """
    if device().type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    capable = torch.cpu.get_capabilities()
    fast = capable.get("avx512_bf16") or capable.get("amx_bf16")
    return torch.bfloat16 if fast else torch.float32


def mixed_precision(model: torch.nn.Module) -> torch.autocast:
    """Products in `compute_dtype()`, whatever the weights are kept in."""
    kind, fast = next(model.parameters()).device.type, compute_dtype()
    return torch.autocast(kind, dtype=fast, enabled=fast != torch.float32)


def load_base(
    directory: Path, *, dtype: torch.dtype | None = None, verify: bool = False
) -> PreTrainedModel:
    """The causal language model in `directory`, on `device()`, in eval mode.

    dtype: of the weights in memory; `compute_dtype()` when not given. Nothing is downloaded and no
    code of the directory runs. verify: first compare every file with the directory's manifest.

    Raises BadRequest for a directory that is not such a model, Corrupt where a file is broken or
    differs from its manifest, or a weight is missing, surplus, of another shape, NaN or infinite;
    MemoryError where memory does not suffice.
    """
    model, report = loaded_from(
        AutoModelForCausalLM,
        directory,
        "a causal language model",
        dtype=dtype or compute_dtype(),
        attention="sdpa",
        verify=verify,
    )
    _refuse_misfits(directory, report)
    refuse_nonfinite(model, str(directory))
    torch.nn.Module.to(model, device())  # the stubs of PreTrainedModel.to know no device
    if device().type == "cuda":
        norms.fuse(model)
    return model.eval()


def loaded_from(
    auto: Any,
    directory: Path,
    what: str,
    *,
    dtype: torch.dtype,
    attention: str | None = None,
    verify: bool = False,
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """The model of the class that `auto` finds for `directory`, on the CPU, and transformers'
    report of what was missing, surplus or of another shape there. The caller must judge that: what
    is missing holds random numbers.

    what: it should be, for the message. attention: where the model's own arithmetic allows it;
    None: transformers' choice. Otherwise, also in what it raises, as `load_base`.
    """
    _refuse_other_formats(directory)
    if verify:
        durable.verify(directory)
    _refuse_broken_files(directory)
    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True)
        loaded: Any = auto.from_pretrained(
            directory,
            config=config,
            dtype=dtype,
            attn_implementation=_attention(config, attention),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told in the report
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        if out_of_memory(error):
            raise MemoryError(f"There is not enough memory to load {directory}.") from error
        raise BadRequest(f"{directory} cannot be loaded as {what}: {error}") from error
    return loaded


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


def _refuse_broken_files(directory: Path) -> None:
    """Raises Corrupt naming the file of weights that is missing, cut, or no safetensors at all."""
    for file in _weight_files(directory):
        if not file.is_file():
            raise Corrupt(f"{directory} lacks {file.name}, which its index names.")
        try:
            with safe_open(file, framework="pt"):
                pass
        except SafetensorError as error:
            if out_of_memory(error):
                raise MemoryError(f"There is not enough memory to load {file}.") from error
            raise Corrupt(f"{file} is broken: {error}. Fetch the model again.") from error


def _weight_files(directory: Path) -> list[Path]:
    single, index = (directory / name for name in _WEIGHTS)
    if single.is_file():  # transformers prefers it too
        return [single]
    parts = durable.read_json(index)
    named = parts.get("weight_map") if isinstance(parts, dict) else None
    if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
        raise Corrupt(f"{index} does not say which file holds which weight.")
    return [directory / Path(name).name for name in sorted(set(named.values()))]


def _refuse_misfits(directory: Path, report: dict[str, Any]) -> None:
    """transformers fills what is missing or of another shape with random numbers, drops what is
    surplus, and only warns. (What a kind of model is known to carry unused is not in `report`.)"""
    for what, keys in (
        ("lacks weights", report["missing_keys"]),
        ("holds weights that its config.json has no place for", report["unexpected_keys"]),
        ("holds weights of other shapes than its config.json", report["mismatched_keys"]),
    ):
        names = [key if isinstance(key, str) else key[0] for key in keys]
        if names:
            raise Corrupt(f"{directory} {what}, among them {min(names)}. Fetch the model again.")


def _attention(config: PretrainedConfig, wanted: str | None) -> str | None:
    """sdpa has no soft cap on attention scores (Gemma 2): there it would compute another model."""
    text = config.get_text_config()
    return "eager" if getattr(text, "attn_logit_softcapping", None) else wanted


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
