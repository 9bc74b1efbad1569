"""Counting: tokens, epochs, and how they are spread."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

TARGET_EPOCHS = 3
FEWEST_EXAMPLES, MOST_EXAMPLES = 100, 25_000
FEWEST_EPOCHS, MOST_EPOCHS = 1, 25


def epochs(examples: int) -> int:
    """How often `examples` are gone through by default (OpenAI's rule): 3 times, but enough for
    100 examples in all and not more than 25,000, within 1 to 25 times."""
    if examples * TARGET_EPOCHS < FEWEST_EXAMPLES:
        return min(MOST_EPOCHS, FEWEST_EXAMPLES // max(1, examples))
    if examples * TARGET_EPOCHS > MOST_EXAMPLES:
        return max(FEWEST_EPOCHS, MOST_EXAMPLES // examples)
    return TARGET_EPOCHS


@dataclass(frozen=True, slots=True)
class Distribution:
    """How counts are spread; quantiles are true ones, all zero where nothing was counted."""

    total: int = 0
    min: int = 0
    p5: float = 0
    median: float = 0
    mean: float = 0
    p95: float = 0
    max: int = 0

    @classmethod
    def of(cls, counts: "array[int]") -> "Distribution":
        if not counts:
            return cls()
        values = np.array(counts)
        p5, median, p95 = (float(value) for value in np.quantile(values, (0.05, 0.5, 0.95)))
        mean = float(values.mean())
        return cls(sum(counts), int(values.min()), p5, median, mean, p95, int(values.max()))

    def __str__(self) -> str:
        return (
            f"min {self.min:,}, p5 {self.p5:,.0f}, median {self.median:,.0f}, "
            + f"mean {self.mean:,.1f}, p95 {self.p95:,.0f}, max {self.max:,}"
        )


def cookbook_tokens(
    messages: Sequence[Mapping[str, Any]], encode: Callable[[str], Sequence[int]]
) -> tuple[int, int]:
    """The tokens of a conversation and of its answers as OpenAI's cookbook counts them.

    An estimate for OpenAI's own models, with tiktoken's encode; ours are counted by the renderer.
    """
    texts = [value for m in messages for value in m.values() if isinstance(value, str)]
    named = sum("name" in message for message in messages)
    answers = [str(m["content"]) for m in messages if m["role"] == "assistant"]
    total = 3 + 3 * len(messages) + named + sum(len(encode(text)) for text in texts)
    return total, sum(len(encode(text)) for text in answers)
