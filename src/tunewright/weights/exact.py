"""A model computed in float32 for a moment, whatever dtype its weights are kept in.

In bfloat16 a wrong mask can hide behind rounding, so what is checked once is checked in float32.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from tunewright.weights.base import computing_in

_NARROW = (torch.bfloat16, torch.float16)


@contextmanager
def in_float32(model: nn.Module) -> Iterator[None]:
    """Inside, `model` computes in float32. A module's own weights are wide only while it computes,
    so the memory of the largest module suffices; afterwards all are the tensors that they were."""
    kept: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}

    def widen(module: nn.Module, *_: object) -> None:
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        kept[module] = [(weight, weight.data) for weight in own if weight.dtype in _NARROW]
        for weight, data in kept[module]:
            weight.data = data.float()

    def narrow(module: nn.Module, *_: object) -> None:
        for weight, data in kept.pop(module, ()):
            weight.data = data

    handles = [
        handle
        for module in model.modules()
        if any(True for _ in (*module.parameters(recurse=False), *module.buffers(recurse=False)))
        for handle in (
            module.register_forward_pre_hook(widen),
            module.register_forward_hook(narrow, always_call=True),
        )
    ]
    try:
        with computing_in(torch.float32):
            yield
    finally:
        for handle in handles:
            handle.remove()
        for module in list(kept):
            narrow(module)
