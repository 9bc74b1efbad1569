"""Is what was written the model that is served? Arithmetic on log-probabilities of the same rows.

Exporters have permuted the wrong rows, scaled an adapter twice and left it out; the files looked
right and loaded. Three things are asked of them. No token's log-probability may differ by more than
the tolerance, which is `MARGIN` times what the same rounding does to the base: what is lost there
is no fault of the export. All together, root mean square, they may differ by twice as much as the
base's: in 4 bits a single unlikely token moves by 5 nats, and the tolerance alone would let
anything pass. And what tuning did to the tokens must be there as well: rounding is as often up as
down, and averages out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from tunewright.exporting.report import Compared

FLOOR = 2e-3
"""Log-probabilities that differ by less agree, as at the end of a job."""
MARGIN = 4.0
SPREAD_MARGIN = 2.0
"""Of root mean squares: over some hundred tokens they are steady."""
LEAST_KEPT = 0.1
"""So far from 1 may `kept` be, besides what rounding explains."""
_SIGMAS = 4.0


@dataclass(frozen=True)
class Figures:
    """Of one row's answer: natural-log probabilities, and at each place the likeliest token, its
    log-probability and the runner-up's."""

    logprobs: list[float]
    top: list[tuple[int, float, float]]


Rows = Sequence[Figures]


@dataclass(frozen=True)
class Reference:
    """The base, the base with its weights moved as rounding moves them (None: nothing is rounded),
    and the model that is served (None: the base itself is exported)."""

    base: Rows
    rounded: Rows | None
    tuned: Rows | None


def compare(reference: Reference, found: Rows, found_base: Rows | None = None) -> Compared:
    """found: of the files, read back. found_base: of the base where its weights were changed in
    the same way, as quantising does."""
    served = reference.tuned or reference.base
    others = [rows for rows in (reference.rounded, found_base) if rows is not None]
    noise = max((_worst(reference.base, rows) for rows in others), default=0.0)
    tolerance = max(FLOOR, MARGIN * noise)
    difference = _worst(served, found)
    spread = max((_spread(reference.base, rows) for rows in others), default=0.0)
    effect = kept = None
    if reference.tuned is not None:
        effect = _spread(reference.base, reference.tuned)
        kept = _kept(reference, found, found_base or reference.base, spread)
    return Compared(
        rows=len(served),
        tolerance=tolerance,
        difference=difference,
        spread=_spread(served, found),
        noise=noise,
        effect=effect or 0.0,
        kept=kept[0] if kept else None,
        failure=_differs(served, found, tolerance, max(FLOOR, SPREAD_MARGIN * spread))
        or _loses(kept)
        or _prefers(served, found, tolerance),
    )


def _differs(served: Rows, found: Rows, tolerance: float, most: float) -> str | None:
    difference, spread = _worst(served, found), _spread(served, found)
    if not difference <= tolerance:  # also where it is no number
        return f"a log-probability differs by {difference:.4f}, more than {tolerance:.4f}"
    if not spread <= most:
        return f"log-probabilities differ by {spread:.4f} (root mean square), more than {most:.4f}"
    return None


def _loses(kept: tuple[float, float] | None) -> str | None:
    if kept is None or abs(kept[0] - 1) <= kept[1]:
        return None
    return (
        f"they show {kept[0]:.0%} of what tuning changed, and rounding explains {kept[1]:.0%} at "
        "most"
    )


def _prefers(served: Rows, found: Rows, tolerance: float) -> str | None:
    for row, other in zip(served, found, strict=True):
        for here, there in zip(row.top, other.top, strict=True):
            if here[1] - here[2] > 2 * tolerance and here[0] != there[0]:
                return f"they prefer token {there[0]} where the model prefers {here[0]}"
    return None


def _kept(
    reference: Reference, found: Rows, found_base: Rows, spread: float
) -> tuple[float, float] | None:
    """Which part of tuning's effect the files show, and how far from 1 that may be; None where
    tuning did less than could be told from rounding. spread: of rounding, root mean square."""
    assert reference.tuned is not None
    effect = _minus(reference.tuned, reference.base)
    length = math.sqrt(sum(each * each for each in effect))
    if length <= FLOOR * math.sqrt(len(effect)):
        return None
    bound = LEAST_KEPT + _SIGMAS * spread / length
    if bound >= 1:  # nothing at all would pass
        return None
    shown = _minus(found, found_base)
    return sum(a * b for a, b in zip(effect, shown, strict=True)) / length**2, bound


def _flat(rows: Rows) -> list[float]:
    return list(chain.from_iterable(row.logprobs for row in rows))


def _minus(some: Rows, others: Rows) -> list[float]:
    return [a - b for a, b in zip(_flat(some), _flat(others), strict=True)]


def _worst(some: Rows, others: Rows) -> float:
    differences = [abs(each) for each in _minus(some, others)]
    return math.nan if any(map(math.isnan, differences)) else max(differences, default=0.0)


def _spread(some: Rows, others: Rows) -> float:
    found = _minus(some, others)
    return math.sqrt(sum(each * each for each in found) / max(1, len(found)))
