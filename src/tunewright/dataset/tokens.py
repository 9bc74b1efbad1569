"""Counting: tokens, epochs, and how they are spread."""

from array import array

import numpy as np
from numpy.typing import NDArray

from tunewright.records.checks import Distribution, Histogram

BINS = 12
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


def distribution(counts: "array[int]") -> Distribution:
    if not counts:
        return Distribution()
    values = np.array(counts)
    p5, median, p95 = (float(value) for value in np.quantile(values, (0.05, 0.5, 0.95)))
    return Distribution(
        total=int(values.sum(dtype=np.int64)),
        min=int(values.min()),
        p5=p5,
        median=median,
        mean=float(values.mean()),
        p95=p95,
        max=int(values.max()),
        histogram=histogram(values, p95),
    )


def histogram(values: NDArray[np.integer], p95: float) -> Histogram:
    """Some 12 bins of round widths. Where few values lie far beyond the 95th percentile, the last
    bin holds all of those: otherwise one long example would hide how the others are spread."""
    low, high = int(values.min()), int(values.max())
    top = high if high <= 3 * p95 else round(1.5 * p95)
    width = _round_width((top - low) / BINS)
    edges = list(range(low // width * width, top + width + 1, width))
    if edges[-1] <= high:
        edges.append(high + 1)
    counts, _ = np.histogram(values, edges)
    return Histogram(edges=edges, counts=counts.tolist())


def _round_width(least: float) -> int:
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power >= least:
                return digit * power
        power *= 10
