"""LoRA: small matrices beside frozen layers, several sets of them on one resident base.

A model is prepared once (`wrap`); then training attaches a fresh adapter (`attach`) or serving adds
and removes finished ones by slot (`add`, `remove`); `select` says which slot acts on which row of
the next forward passes. On disk an adapter is in PEFT's format, keys included, so that peft and
vLLM load ours and we load theirs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tunewright import durable
from tunewright.errors import BadRequest, Corrupt

CONFIG = "adapter_config.json"
TENSORS = "adapter_model.safetensors"
NONE = -1
_PREFIX = "base_model.model."
_LAYERS = "_lora_layers"


@dataclass
class Selection:
    """Which adapter acts: one object shared by all layers of a model, so that choosing is O(1)."""

    slot: int | None = None
    groups: list[tuple[int, Tensor]] = field(default_factory=list)
    batch: int = 0


class LoraLinear(nn.Module):
    """A frozen linear layer and, by slot, pairs A [rank, in], B [out, rank] and their scale.

    Row i of the input gets ``base(x) + scale * B A x`` of the slot that is selected for it.
    """

    def __init__(self, base: nn.Module, selection: Selection) -> None:
        super().__init__()
        self.base = base
        self.a = nn.ParameterDict()
        self.b = nn.ParameterDict()
        self.scales: dict[str, float] = {}
        self.selection = selection
        weight = base.get_parameter("weight")
        shape = weight.shape if isinstance(base, Conv1D) else weight.shape[::-1]
        self.in_features, self.out_features = shape

    @property
    def weight(self) -> Tensor:
        """Some architectures ask a layer for its weight's dtype."""
        return self.base.get_parameter("weight")

    def put(self, slot: int, a: Tensor, b: Tensor, scale: float, *, trainable: bool) -> None:
        self.a[str(slot)] = nn.Parameter(a.to(self.weight.device), requires_grad=trainable)
        self.b[str(slot)] = nn.Parameter(b.to(self.weight.device), requires_grad=trainable)
        self.scales[str(slot)] = scale

    def drop(self, slot: int) -> None:
        if self.scales.pop(str(slot), None) is not None:
            del self.a[str(slot)], self.b[str(slot)]

    def forward(self, x: Tensor) -> Tensor:
        y = self.base(x)
        chosen = self.selection
        if chosen.slot is not None:
            return self._add_delta(y, x, str(chosen.slot))
        for slot, rows in chosen.groups:
            y = self._add_delta_to_rows(y, x, str(slot), rows)
        return y

    def _add_delta(self, y: Tensor, x: Tensor, slot: str) -> Tensor:
        return y + self._delta(x, slot).to(y.dtype) if slot in self.scales else y

    def _add_delta_to_rows(self, y: Tensor, x: Tensor, slot: str, rows: Tensor) -> Tensor:
        if slot not in self.scales:
            return y
        # Some layers see the batch flattened to [batch * time, in]; the view undoes that.
        own = x.reshape(self.selection.batch, -1, self.in_features).index_select(0, rows)
        delta = self._delta(own, slot).to(y.dtype)
        whole = y.reshape(self.selection.batch, -1, self.out_features)
        return whole.index_add(0, rows, delta).reshape(y.shape)

    def _delta(self, x: Tensor, slot: str) -> Tensor:
        a, b = self.a[slot], self.b[slot]
        if not torch.is_autocast_enabled(x.device.type):
            x = x.to(a.dtype)
        # Scaled where it is narrow; scaling what comes out took a fifth more of all this.
        return functional.linear(functional.linear(x, a) * self.scales[slot], b)


@dataclass(frozen=True)
class Adapter:
    """What is in an adapter's directory.

    weights: by the path of the layer in the base (``model.layers.0.self_attn.q_proj``) the pair
    A [rank, in], B [out, rank]. scale = alpha / rank of that layer (its square root for rslora).
    """

    weights: dict[str, tuple[Tensor, Tensor]]
    alpha: float
    base: str = ""
    rslora: bool = False
    transposed: bool = False

    @property
    def rank(self) -> int:
        return max(a.shape[0] for a, _ in self.weights.values())

    def scale(self, path: str) -> float:
        rank = self.weights[path][0].shape[0]
        return self.alpha / (math.sqrt(rank) if self.rslora else rank)


def wrap(model: PreTrainedModel) -> dict[str, LoraLinear]:
    """Prepare every linear layer of `model` but its head to take adapters; by path, in order.

    Freezes the base. The model computes what it did before until an adapter is selected. A second
    call returns the same layers.
    """
    kept = vars(model).get(_LAYERS)  # walking the modules costs 1 ms: too much for every token
    if kept:
        return kept
    model.requires_grad_(False)
    found: dict[str, LoraLinear] = {}
    head, selection = model.get_output_embeddings(), Selection()
    for path, module in list(model.named_modules()):
        if isinstance(module, nn.Linear | Conv1D) and module is not head:
            found[path] = LoraLinear(module, selection)
            model.set_submodule(path, found[path])
    if not found:
        raise BadRequest("This model has no linear layers that LoRA could adapt: tune it in full.")
    vars(model)[_LAYERS] = found
    return found


def attach(model: PreTrainedModel, rank: int, alpha: float, seed: int) -> list[LoraLinear]:
    """Put a fresh, trainable fp32 adapter into slot 0 of every layer and select it.

    B is zero, so the model computes what it did before; A is uniform within ±1/sqrt(in), which is
    PEFT's start. The same seed gives the same A on every device.
    """
    layers = list(wrap(model).values())
    generator = torch.Generator().manual_seed(seed)
    for layer in layers:
        uniform = torch.rand(rank, layer.in_features, generator=generator) * 2 - 1
        zeros = torch.zeros(layer.out_features, rank)
        layer.put(0, uniform / math.sqrt(layer.in_features), zeros, alpha / rank, trainable=True)
    select(model, 0)
    return layers


def add(
    model: PreTrainedModel,
    slot: int,
    adapter: Adapter,
    *,
    dtype: torch.dtype | None = None,
    trainable: bool = False,
) -> None:
    """Put a finished adapter into `slot` (>= 0), replacing what is there. Selects nothing.

    dtype: what its matrices are kept in (fp32 if not given; the base's is faster to serve).
    Raises BadRequest, and changes nothing, where a layer is not in the model or has another shape.
    """
    refuse_misfit(model, adapter)
    layers = wrap(model)
    remove(model, slot)
    for path, (a, b) in adapter.weights.items():
        a, b = a.to(dtype or torch.float32), b.to(dtype or torch.float32)
        layers[path].put(slot, a, b, adapter.scale(path), trainable=trainable)


def go_on(model: PreTrainedModel, adapter: Adapter) -> None:
    """Put a finished adapter (fp32) into slot 0 and select it, to be trained further."""
    add(model, 0, adapter, trainable=True)
    select(model, 0)


def refuse_misfit(model: PreTrainedModel, adapter: Adapter) -> None:
    """Raises BadRequest where a layer of `adapter` is not in the model or has another shape."""
    layers = wrap(model)
    for path, (a, b) in adapter.weights.items():
        _refuse_misfit(path, layers.get(path), a, b)


def _refuse_misfit(path: str, layer: LoraLinear | None, a: Tensor, b: Tensor) -> None:
    if layer is None:
        raise BadRequest(
            f"The adapter changes the layer {path}, which this base does not have: "
            "it was trained on another base."
        )
    wanted = (layer.in_features, layer.out_features, a.shape[0])
    if (a.shape[1], b.shape[0], b.shape[1]) != wanted:
        raise BadRequest(
            f"The adapter's matrices for {path} do not fit this base: "
            "it was trained on another base."
        )


def remove(model: PreTrainedModel, slot: int) -> None:
    """Forget the adapter in `slot`; an empty slot is no error."""
    for layer in wrap(model).values():
        layer.drop(slot)


def select(model: PreTrainedModel, which: int | Sequence[int] | None) -> None:
    """Choose the adapter of the next forward passes: none, one slot, or one slot a batch row.

    A row of `NONE` (-1) gets the base alone. With one slot a row, a forward's batch must have
    exactly that many rows.
    """
    layers = wrap(model)
    selection = next(iter(layers.values())).selection
    selection.slot, selection.groups, selection.batch = None, [], 0
    if which is None:
        return
    slots = {which} if isinstance(which, int) else set(which)
    if len(slots) == 1:
        (only,) = slots
        selection.slot = None if only == NONE else only
    elif not isinstance(which, int):
        device = model.device
        selection.batch = len(which)
        selection.groups = [
            (slot, torch.tensor([i for i, s in enumerate(which) if s == slot], device=device))
            for slot in sorted(slots - {NONE})
        ]


def adapter_of(model: PreTrainedModel, slot: int, *, base: str = "") -> Adapter:
    """A copy (fp32, CPU) of the adapter in `slot`."""
    layers = {path: m for path, m in wrap(model).items() if str(slot) in m.scales}
    weights = {
        path: (_copied(layer.a[str(slot)]), _copied(layer.b[str(slot)]))
        for path, layer in layers.items()
    }
    path, layer = next(iter(layers.items()))
    return Adapter(
        weights=weights,
        alpha=layer.scales[str(slot)] * weights[path][0].shape[0],
        base=base,
        transposed=any(isinstance(layer.base, Conv1D) for layer in layers.values()),
    )


def _copied(weight: Tensor) -> Tensor:
    return weight.detach().to("cpu", torch.float32, copy=True)


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
