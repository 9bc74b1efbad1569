"""How sure a number is: the interval that a bootstrap over rows gives."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """`value` as it was measured; from `low` to `high` with a confidence of 95 %."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def bootstrap(
    statistic: Callable[[Places], float],
    rows: int,
    *,
    rounds: int = 1000,
    seed: int = 0,
    groups: Places | None = None,
) -> Interval:
    """The statistic of all rows, and the percentiles of it over resampled ones.

    statistic: of the places [m] of some rows, each as often as it was drawn. It may give NaN where
    a draw has none (a class that is absent): such draws are left out.
    groups [rows]: rows of one number are drawn together (near-duplicates, the rows of one user):
    they say less than as many rows that know nothing of each other.
    The interval holds the value itself, and has the length 0 where there is one row or group.
    Raises ValueError where there are no rows.
    """
    if rows < 1:
        raise ValueError("There are no rows to draw from.")
    value = float(statistic(np.arange(rows)))
    random = np.random.default_rng(seed)
    drawn = np.array([statistic(_draw(random, rows, groups)) for _ in range(rounds)], np.float64)
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return Interval(value, value, value)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(min(low, value)), float(max(high, value)))


def _draw(random: np.random.Generator, rows: int, groups: Places | None) -> Places:
    if groups is None:
        return random.integers(rows, size=rows)
    order = np.argsort(groups, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return np.concatenate([parts[at] for at in random.integers(len(parts), size=len(parts))])
