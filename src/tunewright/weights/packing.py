"""Linear layers that keep their weights in the order in which the processor multiplies them.

Otherwise oneDNN puts them in order anew for each product. With the few rows of a step that takes as
long as the product: 135M parameters in bfloat16, one thread, 1,536 x 576: 336 us for one row and
368 for eight before, 184 and 196 packed; in float32 eight rows 603 and 360, one row no different.
Packed weights have no gradients, so training does without.
"""

import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

_ROWS = 8  # that it is packed for; it serves any number
_TRIED, _ROUNDS = 24, 3  # layers, so that no cache holds them all
# Of the largest number: the order of a sum, and in bfloat16 the last bit.
_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 2.0**-7}


class Packed(nn.Linear):
    """`weight` has the shape, dtype and device of what was packed and takes no memory; its numbers
    mean nothing."""

    def __init__(self, like: nn.Linear) -> None:
        nn.Module.__init__(self)
        weight = like.weight.detach()
        self.in_features, self.out_features = like.in_features, like.out_features
        self.packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), _ROWS)
        empty = torch.zeros(1, dtype=weight.dtype).expand(weight.shape)
        self.weight = nn.Parameter(empty, requires_grad=False)
        self.bias = like.bias

    def forward(self, input: Tensor) -> Tensor:
        """[..., in] -> [..., out]"""
        return torch.ops.mkldnn._linear_pointwise(input, self.packed, self.bias, "none", [], "")


@torch.no_grad()
def pack(model: PreTrainedModel) -> int:
    """Pack the linear layers of `model` where that is faster here; how many were. Not one whose
    product would be another. Before any adapter is put on it."""
    if model.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return 0
    layers = {path: m for path, m in model.named_modules() if type(m) is nn.Linear}
    fit = {path: m for path, m in layers.items() if m.weight.dtype in _TOLERANCE}
    try:
        if not fit or not _faster(list(fit.values())[:_TRIED]):
            return 0
        return sum(_replaced(model, path, layer) for path, layer in fit.items())
    except (RuntimeError, NotImplementedError, AttributeError):  # torch's, or without oneDNN
        return 0


def _replaced(model: PreTrainedModel, path: str, layer: nn.Linear) -> bool:
    """One after the other, so that never all are in memory twice."""
    packed, x = Packed(layer), _input(layer)
    expected = functional.linear(x, layer.weight, layer.bias)
    off = (packed(x) - expected).abs().max()
    if not bool(off <= _TOLERANCE[x.dtype] * expected.abs().max()):  # NaN neither
        return False
    model.set_submodule(path, packed)
    return True


def _faster(layers: Sequence[nn.Linear]) -> bool:
    packed = [Packed(layer) for layer in layers]
    rounds = [(_seconds(layers), _seconds(packed)) for _ in range(_ROUNDS)]
    plain, ours = map(min, zip(*rounds, strict=True))
    return ours < plain


def _seconds(layers: Sequence[nn.Linear]) -> float:
    given = [(layer, _input(layer)) for layer in layers]
    began = time.process_time()
    for layer, x in given:
        layer(x)
    return time.process_time() - began


def _input(layer: nn.Linear) -> Tensor:
    """[rows, in], always the same."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(_ROWS, layer.in_features, generator=generator).to(layer.weight.dtype)
