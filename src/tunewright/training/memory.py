"""When memory runs out: fewer rows at once, and if that does not help, what would fit."""

from dataclasses import dataclass

import torch
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from tunewright.errors import JobFailed
from tunewright.training.examples import Sample
from tunewright.training.loss import Objective
from tunewright.training.plans.planner import Piece
from tunewright.weights.memory import out_of_memory, save_memory

_SHORTEST = 16


@dataclass
class Room:
    """Padded tokens of a micro-batch, and whether activations are recomputed (gradient
    checkpointing). Less room changes the speed, and the last bits of the weights."""

    tokens: int
    recomputes: bool = False

    def halve(self, samples: list[Sample]) -> bool:
        """Halve the micro-batches. False where each of `samples` has its own already."""
        longest = max(len(sample.ids) for sample in samples)
        if self.tokens <= longest or len(samples) == 1:
            return False
        self.tokens = max(1, min(self.tokens, longest * len(samples)) // 2)
        return True

    def recompute(self, model: PreTrainedModel) -> bool:
        """Recompute activations, so that longer rows fit. False where that is done already, or the
        model cannot."""
        if self.recomputes or not recompute(model):
            return False
        self.recomputes = True
        return True


def recompute(model: PreTrainedModel) -> bool:
    """Keep only what goes into each layer, and compute the rest again for the gradients: a third
    slower. False where that is so already, or the model cannot."""
    if recomputes(model) or not model.supports_gradient_checkpointing:
        return False
    # The name since transformers 5.24, and the one before, which then only warns.
    enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
    enable({"use_reentrant": False})
    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            module.training = True  # it asks for this; modules inside keep theirs: no dropout
    return True


def recomputes(model: PreTrainedModel) -> bool:
    return any(getattr(module, "gradient_checkpointing", False) for module in model.modules())


@dataclass(frozen=True)
class Misfit:
    """A row that does not go through even alone: its tokens, its line, and how many tokens would;
    zeros where there is none."""

    tokens: int = 0
    line: int = 0
    fits: int = 0

    def failure(self) -> JobFailed:
        what = f"An example of {self.fits} tokens fits"
        return JobFailed(
            f"There is not enough memory to train on an example of {self.tokens} tokens (line "
            f"{self.line}), even alone. {what if self.fits else 'Not even a short example fits'}. "
            "Use shorter examples, a smaller base or adaptation 'lora'.",
            code="out_of_memory",
        )


def misfit(objective: Objective, model: torch.nn.Module, samples: list[Sample]) -> Misfit:
    """The longest of `samples`, none of which goes through."""
    longest = max(samples, key=lambda sample: len(sample.ids))
    fits = _length_that_fits(objective, model, longest)
    return Misfit(len(longest.ids), longest.line, fits)


def _length_that_fits(objective: Objective, model: torch.nn.Module, sample: Sample) -> int:
    """Found by trying half the length, a quarter, and so on; 0 where nothing fits."""
    length = len(sample.ids) // 2
    while length >= _SHORTEST:
        if _fits(objective, model, sample, length):
            return length
        save_memory()
        length //= 2
    return 0


def _fits(objective: Objective, model: torch.nn.Module, sample: Sample, length: int) -> bool:
    """Whether the last `length` tokens of `sample` go through, and once more beside the gradients
    of the first time, as in a step of several rows."""
    start = max(1, sample.start - len(sample.ids) + length)
    end = Sample(sample.ids[-length:], start, sample.line, sample.turn)
    try:
        for _ in range(2):
            objective.learn(Piece("rows", [[end]]), 1.0)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return False
    finally:
        model.zero_grad()
    return True
