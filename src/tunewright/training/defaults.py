"""What "auto" means. Pure arithmetic: no torch here."""

from dataclasses import dataclass
from typing import Final

from tunewright.dataset.tokens import epochs
from tunewright.errors import BadRequest
from tunewright.training.recipe import Recipe

RANKS = (8, 16, 32, 64)
LARGEST_BATCH: Final = 31

# Thinking Machines, "LoRA Without Regret" (2025): the best rate falls with the hidden size by a
# power that depends on the family, and full fine-tunes want a tenth of LoRA's.
LORA_RATE: Final = 5e-4
RATE_POWERS = {"qwen": 0.0775, "llama": 0.781}
FULL_RATE_FACTOR: Final = 0.1


@dataclass(frozen=True)
class Facts:
    """What the choices depend on: counts of one epoch, and the base's family and width.

    lora_parameters: how many numbers an adapter of rank 1 has. largest_rank: that of the smallest
    layer to adapt.
    """

    examples: int
    supervised_tokens: int
    family: str
    hidden_size: int
    lora_parameters: int
    largest_rank: int = RANKS[-1]


@dataclass(frozen=True)
class Hyperparameters:
    n_epochs: int
    batch_size: int
    learning_rate_multiplier: float
    learning_rate: float
    rank: int
    alpha: float


def resolve(recipe: Recipe, facts: Facts) -> Hyperparameters:
    if recipe.rank != "auto" and recipe.rank > facts.largest_rank:
        raise BadRequest(
            f"Rank {recipe.rank} is larger than the smallest layer of this base: use at most "
            f"{facts.largest_rank}.",
            param="rank",
            code="invalid_hyperparameter",
        )
    given = recipe.learning_rate_multiplier
    multiplier = 1.0 if given == "auto" else given
    return Hyperparameters(
        n_epochs=epochs(facts.examples) if recipe.n_epochs == "auto" else recipe.n_epochs,
        batch_size=batch_size(facts.examples) if recipe.batch_size == "auto" else recipe.batch_size,
        learning_rate_multiplier=multiplier,
        learning_rate=multiplier * learning_rate(facts, full=recipe.adaptation == "full"),
        rank=rank(facts) if recipe.rank == "auto" else recipe.rank,
        alpha=recipe.alpha,
    )


def batch_size(examples: int) -> int:
    """0.2 % of the examples, at least 4 (8 from 100 examples on), below 32: LoRA loses to full
    fine-tuning on large batches."""
    least = 4 if examples < 100 else 8
    return min(max(least, round(examples * 0.002)), LARGEST_BATCH, examples)


def learning_rate(facts: Facts, *, full: bool) -> float:
    families = (power for name, power in RATE_POWERS.items() if facts.family.startswith(name))
    power = next(families, RATE_POWERS["llama"])
    rate = LORA_RATE * (2000 / facts.hidden_size) ** power
    return rate * FULL_RATE_FACTOR if full else rate


def rank(facts: Facts) -> int:
    """The smallest with at least as many parameters as there are supervised tokens to hold."""
    fits = (r for r in RANKS if r * facts.lora_parameters >= facts.supervised_tokens)
    return min(next(fits, RANKS[-1]), facts.largest_rank)


def rate_at(step: int, total: int, peak: float) -> float:
    """The learning rate of `step` (from 0): 5 % warm-up, then linear decay towards 0."""
    warm = max(1, round(total * 0.05))
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (total - step) / (total - warm)
