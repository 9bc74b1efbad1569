"""The parity gate: does the engine serve the model that was trained?

Pure arithmetic on two sets of figures for the same rows: those that training computed and those
that the engine computed. Engines have loaded adapters that changed nothing, and renderers have
given a served model other prompts than its trainer; both pass every test but this one.
"""

from dataclasses import dataclass
from typing import Any

FLOOR = 2e-3
"""Log-probabilities that differ by less agree, however exact the two paths are on the base."""
MARGIN = 4.0
"""The base's own disagreement between the two paths, times this, is the tolerance."""


@dataclass(frozen=True)
class Verdict:
    """`failure` is None where the gate is passed. `unchanged`: tuned equals base within noise."""

    tolerance: float
    worst: float
    failure: str | None
    unchanged: bool


def compare(rows: list[dict[str, Any]], base: list[Any], tuned: list[Any]) -> Verdict:
    """`rows` as training wrote them; `base` and `tuned` are the engine's `Scores` for each row."""
    tolerance = max(
        FLOOR,
        MARGIN
        * max(
            _worst(row["base"]["logprobs"], s.logprobs) for row, s in zip(rows, base, strict=True)
        ),
    )
    worst = max(
        _worst(row["tuned"]["logprobs"], s.logprobs) for row, s in zip(rows, tuned, strict=True)
    )
    effect = max(
        _worst(_minus(row["tuned"], row["base"]), _differences(t.logprobs, b.logprobs))
        for row, b, t in zip(rows, base, tuned, strict=True)
    )
    change = max(max(map(abs, _minus(row["tuned"], row["base"]))) for row in rows)
    return Verdict(
        tolerance=tolerance,
        worst=worst,
        failure=_failure(rows, tuned, tolerance, worst, effect),
        unchanged=change < tolerance,
    )


def _failure(
    rows: list[dict[str, Any]], tuned: list[Any], tolerance: float, worst: float, effect: float
) -> str | None:
    if worst > tolerance:
        return f"log-probabilities differ by {worst:.4f}, more than {tolerance:.4f}"
    if effect > 2 * tolerance:
        return f"the tuning's effect differs by {effect:.4f}, more than {2 * tolerance:.4f}"
    for row, scores in zip(rows, tuned, strict=True):
        for here, there in zip(row["tuned"]["top"], scores.top, strict=True):
            clear = here[1] - here[2] > 2 * tolerance
            if clear and here[0] != there[0]:
                return f"it prefers token {there[0]} where training preferred {here[0]}"
    return None


def _worst(some: list[float], others: list[float]) -> float:
    if len(some) != len(others):
        raise ValueError(f"{len(some)} against {len(others)} tokens")
    return max((abs(a - b) for a, b in zip(some, others, strict=True)), default=0.0)


def _minus(tuned: dict[str, Any], base: dict[str, Any]) -> list[float]:
    return _differences(tuned["logprobs"], base["logprobs"])


def _differences(some: list[float], others: list[float]) -> list[float]:
    return [a - b for a, b in zip(some, others, strict=True)]
