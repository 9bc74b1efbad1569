"""Supervised fine-tuning: the likelihood of the answers, given their prompts."""

from collections.abc import Sequence
from functools import partial

from tunewright.training import loop
from tunewright.training.examples import Sample
from tunewright.training.run import Run


class Supervised:
    """The mean loss of the supervised tokens: each counts the same, whatever its row."""

    def parts(self, samples: Sequence[Sample]) -> int:
        return sum(sample.supervised for sample in samples)

    def weigh(self, run: Run, samples: list[Sample]) -> list[Sample]:
        return samples


METHOD = Supervised()
train = partial(loop.train, METHOD)
expect = partial(loop.expect, METHOD)
