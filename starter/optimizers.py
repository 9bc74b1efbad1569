"""Muon for the matrices: momentum whose update is made orthogonal.

Keller Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024). Chosen on
their figures; not compared with AdamW on this model.
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

_STEPS = ((4.0848, -6.8946, 2.9270), (3.9505, -6.3029, 2.6377), (3.7418, -5.5913, 2.3037),
          (2.8769, -3.1427, 1.2046), (2.8366, -3.0525, 1.2012))  # fmt: skip


def orthogonal(matrices: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrices [n, rows, columns], by five Newton-Schulz steps."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) * 1.01 + 1e-7)
    for a, b, c in _STEPS:  # coefficients of You Jiacheng: each step the best for what it meets
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                by_shape[parameter.shape].append(parameter)
            for parameters in by_shape.values():  # one batched product for all of a shape
                self._step(parameters, group["lr"], group["momentum"])

    def _step(self, parameters: list[Tensor], lr: float, momentum: float) -> None:
        moved = []
        for parameter in parameters:
            memory = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
            memory.lerp_(parameter.grad, 1 - momentum)
            moved.append(torch.lerp(parameter.grad, memory, momentum))
        scale = max(1.0, parameters[0].shape[0] / parameters[0].shape[1]) ** 0.5
        for parameter, update in zip(parameters, orthogonal(torch.stack(moved)), strict=True):
            parameter.add_(update, alpha=-lr * scale)
