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
    draw = _draws(random, rows, groups)
    drawn = np.array([statistic(draw()) for _ in range(rounds)], np.float64)
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return Interval(value, value, value)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(min(low, value)), float(max(high, value)))


def _draws(random: np.random.Generator, rows: int, groups: Places | None) -> Callable[[], Places]:
    """Draws rows, or groups of rows whole; of a group, the rows in order."""
    if groups is None:
        return lambda: random.integers(rows, size=rows)
    order = np.argsort(groups, kind="stable")  # the rows of a group stand together
    starts = np.concatenate([[0], np.flatnonzero(np.diff(groups[order])) + 1])  # [groups]
    sizes = np.diff(np.append(starts, rows))  # [groups]

    def of_groups() -> Places:
        drawn = random.integers(len(starts), size=len(starts))
        lengths = sizes[drawn]
        before = np.repeat(np.cumsum(lengths) - lengths, lengths)  # rows drawn before its group
        return order[np.repeat(starts[drawn], lengths) + np.arange(len(before)) - before]

    return of_groups
