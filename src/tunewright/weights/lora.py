"""LoRA: low-rank matrices beside frozen linear layers, several adapters on one resident base.

A model is prepared once (`wrap`); then training attaches a fresh adapter (`attach`) or serving adds
and removes finished ones by slot (`add`, `remove`); `select` says which slot acts on which row of
the next forward passes. Adapters on disk: `peft`.

Shapes: an input x [rows, time, in], an output [rows, time, out]; of an adapter A [rank, in] and
B [out, rank] in each layer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tunewright.errors import BadRequest

NONE = -1  # no adapter: the base alone
_LAYERS = "_lora_layers"


@dataclass
class Selection:
    """Which adapter acts: one object shared by all layers of a model, so that choosing is O(1)."""

    slot: int | None = None  # of all rows
    groups: list[tuple[int, Tensor]] = field(default_factory=list)  # slot, its rows int64 [n]
    batch: int = 0  # rows of the next forward pass, where they have groups


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
        # GPT-2's Conv1D keeps [in, out], Linear [out, in].
        shape = weight.shape if isinstance(base, Conv1D) else weight.shape[::-1]
        self.in_features, self.out_features = shape

    @property
    def weight(self) -> Tensor:
        """Some architectures ask a layer for its weight's dtype."""
        return self.base.get_parameter("weight")

    def put(self, slot: int, a: Tensor, b: Tensor, scale: float, *, trainable: bool) -> None:
        """a: [rank, in]. b: [out, rank]. Both move to the layer's device."""
        self.a[str(slot)] = nn.Parameter(a.to(self.weight.device), requires_grad=trainable)
        self.b[str(slot)] = nn.Parameter(b.to(self.weight.device), requires_grad=trainable)
        self.scales[str(slot)] = scale

    def drop(self, slot: int) -> None:
        if self.scales.pop(str(slot), None) is not None:
            del self.a[str(slot)], self.b[str(slot)]

    def forward(self, x: Tensor) -> Tensor:
        chosen = self.selection
        if chosen.slot is not None and self._learns_on_cpu(x, str(chosen.slot)):
            a, b = self.a[str(chosen.slot)], self.b[str(chosen.slot)]
            bias, scale = getattr(self.base, "bias", None), self.scales[str(chosen.slot)]
            return _Adapted.apply(x, self.weight, bias, a, b, scale)
        y = self.base(x)  # [rows, time, in] -> [rows, time, out]
        if chosen.slot is not None:
            return self._add_delta(y, x, str(chosen.slot))
        for slot, rows in chosen.groups:
            y = self._add_delta_to_rows(y, x, str(slot), rows)
        return y

    def _learns_on_cpu(self, x: Tensor, slot: str) -> bool:
        """Where `_Adapted` computes what this layer does, and is faster."""
        if slot not in self.scales or not torch.is_grad_enabled() or x.device.type != "cpu":
            return False
        if type(self.base) is not nn.Linear or not self.a[slot].requires_grad:
            return False
        alike = x.dtype == self.weight.dtype == self.a[slot].dtype
        return alike or torch.is_autocast_enabled("cpu")

    def _add_delta(self, y: Tensor, x: Tensor, slot: str) -> Tensor:
        return y + self._delta(x, slot).to(y.dtype) if slot in self.scales else y

    def _add_delta_to_rows(self, y: Tensor, x: Tensor, slot: str, rows: Tensor) -> Tensor:
        if slot not in self.scales:
            return y
        # Some layers see the batch flattened to [rows * time, in]; the reshape undoes that.
        batch = self.selection.batch
        own = x.reshape(batch, -1, self.in_features).index_select(0, rows)  # [n, time, in]
        delta = self._delta(own, slot).to(y.dtype)  # [n, time, out]
        whole = y.reshape(batch, -1, self.out_features)  # [rows, time, out]
        return whole.index_add(0, rows, delta).reshape(y.shape)

    def _delta(self, x: Tensor, slot: str) -> Tensor:
        """[..., in] -> [..., out]"""
        a, b = self.a[slot], self.b[slot]  # [rank, in], [out, rank]
        if not torch.is_autocast_enabled(x.device.type):
            x = x.to(a.dtype)
        # Scaled where it is narrow; scaling what comes out took a fifth more of all this.
        low = functional.linear(x, a) * self.scales[slot]  # [..., rank]
        return functional.linear(low, b)


class _Adapted(torch.autograd.Function):
    """x W' + bias + scale (x A') B', and the gradients of x, A and B: W is frozen.

    In float32 on a processor, a product with a narrow matrix is three to five times as fast with
    the narrow side first ([8, 436] by [436, 1536] 0.27 ms, the other way round 1.5), and what is
    added to a large product is added by the product itself. Of a layer of 576 to 1,536 with rank 8,
    forward and backward of 436 tokens, the adapter took 3.3 ms of 21, and now takes 1.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float
    ) -> Tensor:
        """x: [..., in]. weight: [out, in]. bias: [out]. Returns [..., out]."""
        wide = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        with torch.autocast("cpu", enabled=False):
            flat, w = x.reshape(-1, x.shape[-1]).to(wide), weight.to(wide)  # [tokens, in]
            down, up = a.to(wide), b.to(wide)
            low = (down @ flat.T).T * scale  # [tokens, rank]
            out = functional.linear(flat, w, None if bias is None else bias.to(wide))
            out.addmm_(low, up.T)  # [tokens, out]
        ctx.save_for_backward(flat, w, down, up, low)
        ctx.scale, ctx.shape, ctx.dtypes = scale, x.shape, (x.dtype, a.dtype, b.dtype)
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        flat, w, down, up, low = ctx.saved_tensors
        of_x, of_a, of_b = ctx.dtypes
        g = gradient.reshape(-1, gradient.shape[-1])  # [tokens, out]
        narrow = (up.T @ g.T).T * ctx.scale  # [tokens, rank]
        back = None
        if ctx.needs_input_grad[0]:
            back = (g @ w).addmm_(narrow, down).view(ctx.shape).to(of_x)
        return (
            back,
            None,
            None,
            (narrow.T @ flat).to(of_a),
            (low.T @ g).T.to(of_b),
            None,
        )


@dataclass(frozen=True)
class Adapter:
    """An adapter apart from any model, as it is kept on disk.

    weights: by the path of the layer in the base (``model.layers.0.self_attn.q_proj``) the pair
    A [rank, in], B [out, rank]. A layer's scale is alpha / rank, or alpha / sqrt(rank) with
    rslora. transposed: the base's layers keep their weight as [in, out] (PEFT's `fan_in_fan_out`).
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
    call returns the same layers. Raises BadRequest where there is no linear layer.
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


def unwrap(model: PreTrainedModel) -> None:
    """Make the layers of `model` plain again; adapters in them are gone."""
    for path, layer in vars(model).pop(_LAYERS, {}).items():
        model.set_submodule(path, layer.base)


def attach(model: PreTrainedModel, rank: int, alpha: float, seed: int) -> list[LoraLinear]:
    """Put a fresh, trainable fp32 adapter into slot 0 of every layer and select it.

    B is zero, so the model computes what it did before; A is uniform within ±1/sqrt(in), which is
    PEFT's start. The same seed gives the same A on every device.
    """
    layers = list(wrap(model).values())
    generator = torch.Generator().manual_seed(seed)
    for layer in layers:
        uniform = torch.rand(rank, layer.in_features, generator=generator) * 2 - 1  # [rank, in]
        zeros = torch.zeros(layer.out_features, rank)  # [out, rank]
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
    """Put a finished adapter (fp32) into slot 0 and select it, to be trained further.

    Raises BadRequest as `add` does.
    """
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

    A row of `NONE` (-1) gets the base alone. With one slot a row, the batch of each forward pass
    must have exactly that many rows.
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
    """A copy (fp32, CPU) of the adapter in `slot`. base: its name, as `peft` writes it."""
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
