"""Muon for the matrices: momentum whose update is made orthogonal.

Keller Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024). Chosen on
their figures; not compared with AdamW on this model. Several workers share the work: making the
updates of 8.5M parameters orthogonal costs as much as 850 tokens of training.
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
import torch.distributed as dist
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
    """`rank` of `size` processes with the same gradients makes its share of the updates."""

    def __init__(
        self, params: Iterable[Tensor], lr: float, *, rank: int = 0, size: int = 1
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": 0.95})
        self._rank, self._size = rank, size

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            moved = [self._moved(each, group["momentum"]) for each in group["params"]]
            updates = self._agreed(self._mine(moved))
            for parameter, update in zip(group["params"], updates, strict=True):
                scale = max(1.0, parameter.shape[0] / parameter.shape[1]) ** 0.5
                parameter.add_(update, alpha=-group["lr"] * scale)

    def _moved(self, parameter: Tensor, momentum: float) -> Tensor:
        memory = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
        memory.lerp_(parameter.grad, 1 - momentum)
        return torch.lerp(parameter.grad, memory, momentum)

    def _mine(self, moved: list[Tensor]) -> list[Tensor]:
        """The orthogonal ones of this worker's share, zeros for the rest."""
        by_shape: dict[torch.Size, list[int]] = defaultdict(list)
        for place, matrix in enumerate(moved):
            by_shape[matrix.shape].append(place)
        updates = [torch.zeros_like(matrix) for matrix in moved]
        for places in by_shape.values():  # one batched product for all of a shape
            mine = places[self._rank :: self._size]
            if mine:
                done = orthogonal(torch.stack([moved[place] for place in mine]))
                for place, update in zip(mine, done, strict=True):
                    updates[place] = update
        return updates

    def _agreed(self, updates: list[Tensor]) -> list[Tensor]:
        if self._size == 1:
            return updates
        flat = torch.cat([update.flatten() for update in updates])
        dist.all_reduce(flat)
        sizes = [update.numel() for update in updates]
        return [p.view_as(u) for p, u in zip(flat.split(sizes), updates, strict=True)]
