"""A model computed in float32 for a moment, whatever dtype its weights are kept in.

In bfloat16 a wrong mask can hide behind rounding, so what is checked once is checked in float32.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

import torch
from torch import Tensor, nn

from tunewright.weights.base import computing_in
from tunewright.weights.memory import out_of_memory

_NARROW = (torch.bfloat16, torch.float16)
_FLOATING = (*_NARROW, torch.float32)
Change: TypeAlias = Callable[[nn.Module, Tensor], Tensor]
# Bytes of weights in float32 that are made at once: of some 250 million parameters. One module at a
# time, each pass made them all anew: 3 of the 4 s that a check of 135M parameters took.
_AT_ONCE = 1 << 30


@contextmanager
def in_float32(model: nn.Module, change: Change | None = None) -> Iterator[None]:
    """Inside, `model` computes in float32; afterwards all weights are the tensors that they were.

    Those of a large model, or where memory is short, are wide one module at a time, while it
    computes, so the memory of the largest module suffices.

    change: what a module computes with instead of its weight, which it gets in float32; it must
    not write to that.
    """
    wide = _wide_in_turn(model, change) if change else _all_wide(model) or _wide_in_turn(model)
    with wide, computing_in(torch.float32):
        yield


def _all_wide(model: nn.Module) -> AbstractContextManager[None] | None:
    """None where there is no room for all of them."""
    narrow = [w for w in (*model.parameters(), *model.buffers()) if w.dtype in _NARROW]
    if sum(weight.numel() for weight in narrow) * torch.float32.itemsize > _AT_ONCE:
        return None
    try:
        return _exchanged(narrow, [weight.data.float() for weight in narrow])
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return None


@contextmanager
def _exchanged(weights: list[Tensor], wide: list[Tensor]) -> Iterator[None]:
    kept = [weight.data for weight in weights]
    try:
        for weight, data in zip(weights, wide, strict=True):
            weight.data = data
        yield
    finally:
        for weight, data in zip(weights, kept, strict=True):
            weight.data = data


@contextmanager
def _wide_in_turn(model: nn.Module, change: Change | None = None) -> Iterator[None]:
    kept: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}
    changed = _NARROW if change is None else _FLOATING

    def widen(module: nn.Module, *_: object) -> None:
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        kept[module] = [(weight, weight.data) for weight in own if weight.dtype in changed]
        for weight, data in kept[module]:
            weight.data = data.float() if change is None else change(module, data.float())

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
        yield
    finally:
        for handle in handles:
            handle.remove()
        for module in list(kept):
            narrow(module)
