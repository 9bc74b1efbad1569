"""Which examples a step sees, and how their rows are laid out to be computed.

A step's examples are chosen first, by a seeded shuffle; only then are their rows grouped by
length. Sorting across steps would change what is learnt.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tunewright.training.examples import Sample

# Padded tokens of a micro-batch. On a CPU more gains nothing; a GPU wants more to do at once.
BUDGETS = {"cpu": 2048, "cuda": 8192}


@dataclass(frozen=True)
class Order:
    """Which examples each step sees. Follows from its fields alone, so a resumed run goes on in it.

    Steps and epochs count from 0. The last step of an epoch may be smaller.
    """

    examples: int
    batch_size: int
    epochs: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(self.examples / self.batch_size)

    @property
    def total(self) -> int:
        return self.epochs * self.steps_per_epoch

    def epoch_of(self, step: int) -> int:
        return step // self.steps_per_epoch

    def ends_epoch(self, step: int) -> bool:
        return (step + 1) % self.steps_per_epoch == 0

    def of(self, step: int) -> list[int]:
        order = _shuffled(self.examples, self.seed, self.epoch_of(step))
        at = step % self.steps_per_epoch * self.batch_size
        return order[at : at + self.batch_size].tolist()


@functools.lru_cache(maxsize=2)
def _shuffled(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(count)


@dataclass(frozen=True)
class Batch:
    """Rows to compute together, padded on the right.

    ids: int64 [rows, longest]. at: positions, in the flattened ids, whose hidden states predict a
    supervised token; targets: those tokens. Both [supervised], rows in order.

    There is no attention mask on purpose: causal rows never look to their right, where the padding
    is, and without a mask the attention takes its fast path.
    """

    ids: Tensor
    at: Tensor
    targets: Tensor

    @property
    def supervised(self) -> int:
        return len(self.targets)


def plan(samples: Sequence[Sample], budget: int) -> Iterator[list[Sample]]:
    """The rows of one step as micro-batches of similar length, at most `budget` padded tokens each.

    A longer row goes alone. This is where plans that share prefixes belong: they may lay a step's
    rows out in any way whose gradients equal those of the separate rows.
    """
    group: list[Sample] = []
    for sample in sorted(samples, key=lambda s: len(s.ids), reverse=True):
        if group and (len(group) + 1) * len(group[0].ids) > budget:
            yield group
            group = []
        group.append(sample)
    yield group


def collate(samples: Sequence[Sample], device: torch.device) -> Batch:
    longest = max(len(s.ids) for s in samples)
    ids = np.zeros((len(samples), longest), dtype=np.int64)
    for row, sample in enumerate(samples):
        ids[row, : len(sample.ids)] = sample.ids
    at = [np.arange(s.start, len(s.ids)) + row * longest - 1 for row, s in enumerate(samples)]
    targets = [s.ids[s.start :] for s in samples]
    return Batch(
        ids=torch.from_numpy(ids).to(device),
        at=torch.from_numpy(np.concatenate(at)).to(device),
        targets=torch.from_numpy(np.concatenate(targets).astype(np.int64)).to(device),
    )
