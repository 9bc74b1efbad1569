"""The arithmetic of the proof: what passes, and what each known fault of an export fails by."""

import math
import random
from dataclasses import replace
from typing import Any

import pytest

from tunewright.exporting.gate import FLOOR, Figures, Reference, compare

ROWS, TOKENS = 4, 30


def rows(shift: Any, *, top: int = 7) -> list[Figures]:
    """Log-probabilities of -2 each, moved by `shift()`."""
    made = []
    for _ in range(ROWS):
        logprobs = [-2 + shift() for _ in range(TOKENS)]
        made.append(Figures(logprobs, [(top, -0.1, -3.0)] * TOKENS))
    return made


def noise(size: float, seed: int) -> Any:
    random_ = random.Random(seed)
    return lambda: random_.uniform(-size, size)


def moved(some: list[Figures], by: Any, *, times: float = 1.0) -> list[Figures]:
    return [replace(row, logprobs=[each + times * by() for each in row.logprobs]) for row in some]


BASE = rows(lambda: 0.0)
TUNED = moved(BASE, noise(0.8, 1))


def test_the_same_passes_and_all_of_the_effect_is_there() -> None:
    found = compare(Reference(BASE, None, TUNED), TUNED)
    assert found.failure is None
    assert (found.difference, found.noise, found.tolerance) == (0, 0, FLOOR)
    assert found.kept == pytest.approx(1)
    assert found.effect == pytest.approx(0.8 / math.sqrt(3), rel=0.1)


def test_the_tolerance_is_four_times_what_rounding_does_to_the_base() -> None:
    rounded = moved(BASE, noise(0.01, 2))
    found = compare(Reference(BASE, rounded, TUNED), moved(TUNED, noise(0.018, 3)))
    assert found.failure is None
    assert 0.039 < found.tolerance < 0.04
    worse = compare(Reference(BASE, rounded, TUNED), moved(TUNED, noise(0.06, 3)))
    assert worse.failure
    assert "a log-probability differs by 0.0" in worse.failure


@pytest.mark.parametrize("share", [0.0, 0.5, 2.0])
def test_an_effect_lost_under_coarse_rounding_is_seen(share: float) -> None:
    """Rounding that moves the base more than tuning did: no single token could tell."""
    small = moved(BASE, noise(0.2, 1))
    rounded, found_base = moved(BASE, noise(0.15, 2)), moved(BASE, noise(0.15, 4))
    shown = [
        replace(b, logprobs=[x + share * (t - y) for x, y, t in zip(
            b.logprobs, o.logprobs, s.logprobs, strict=True)])
        for b, o, s in zip(found_base, BASE, small, strict=True)
    ]  # fmt: skip
    found = compare(Reference(BASE, rounded, small), shown, found_base)
    assert found.difference < found.tolerance
    assert found.kept == pytest.approx(share, abs=0.01)
    assert found.failure
    assert "of what tuning changed" in found.failure


def test_what_a_wide_tolerance_would_let_pass_is_seen_in_all_tokens_together() -> None:
    """In 4 bits one unlikely token moves by 5 nats: then no difference of one is too large."""
    rounded = moved(BASE, noise(0.1, 2))
    rounded[0] = replace(rounded[0], logprobs=[3.0, *rounded[0].logprobs[1:]])
    found = compare(Reference(BASE, rounded, None), moved(BASE, noise(3, 3)))
    assert found.difference < found.tolerance == 20
    assert found.failure
    assert "root mean square" in found.failure
    assert compare(Reference(BASE, rounded, None), moved(BASE, noise(0.15, 3))).failure is None


def test_an_effect_below_rounding_is_not_judged() -> None:
    tiny = moved(BASE, noise(0.005, 1))
    rounded = moved(BASE, noise(0.15, 2))
    found = compare(Reference(BASE, rounded, tiny), moved(BASE, noise(0.1, 5)))
    assert found.kept is None
    assert found.failure is None


def test_another_favourite_token_fails() -> None:
    found = compare(Reference(BASE, None, TUNED), [replace(r, top=[(8, -0.1, -3.0)] * TOKENS)
                                                   for r in TUNED])  # fmt: skip
    assert found.failure == "they prefer token 8 where the model prefers 7"


def test_figures_that_are_no_numbers_fail() -> None:
    broken = [replace(row, logprobs=[math.nan, *row.logprobs[1:]]) for row in TUNED]
    failure = compare(Reference(BASE, None, TUNED), broken).failure
    assert failure
    assert "nan" in failure


def test_a_base_has_no_effect_to_keep() -> None:
    found = compare(Reference(BASE, None, None), BASE)
    assert (found.failure, found.kept, found.effect) == (None, None, 0.0)
