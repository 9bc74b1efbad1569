"""The examples of each step: a seeded shuffle, before it is planned how to compute them."""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Order:
    """The examples of each step. Follows from its fields alone, so a resumed run continues it.

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
        """Indices of the step's examples: [batch_size], fewer in the last step of an epoch."""
        order = _shuffled(self.examples, self.seed, self.epoch_of(step))
        at = step % self.steps_per_epoch * self.batch_size
        return order[at : at + self.batch_size].tolist()


@functools.lru_cache(maxsize=2)
def _shuffled(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(count)
