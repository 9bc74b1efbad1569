import pytest

from tunewright.generation.generator import Scores
from tunewright.work.parity import FLOOR, compare


def row(base: list[float], tuned: list[float], token: int = 5, margin: float = 3.0) -> dict:
    def side(logprobs: list[float], first: int) -> dict:
        return {"logprobs": logprobs, "top": [(first, -0.1, -0.1 - margin) for _ in logprobs]}

    rows = {"base": side(base, 4), "tuned": side(tuned, token)}
    return {"prompt": [1], "answer": [2] * len(base), **rows}


def scores(logprobs: list[float], token: int = 5) -> Scores:
    return Scores(logprobs, [(token, -0.1, -3.1) for _ in logprobs])


ROWS = [row([-3.0, -2.0], [-1.0, -0.5]), row([-4.0], [-2.0])]
BASE = [scores([-3.0001, -2.0], 4), scores([-4.0], 4)]


def test_agreement_passes() -> None:
    verdict = compare(ROWS, BASE, [scores([-1.0005, -0.5]), scores([-2.0])])
    assert verdict.failure is None
    assert not verdict.unchanged
    assert verdict.tolerance == FLOOR


@pytest.mark.parametrize(
    ("tuned", "reason"),
    [
        # The engine serves the base: an adapter was loaded and changed nothing.
        ([scores([-3.0, -2.0], 4), scores([-4.0], 4)], "log-probabilities differ"),
        ([scores([-1.0, -0.5]), scores([-2.1])], "log-probabilities differ"),
        ([scores([-1.0, -0.5], token=9), scores([-2.0])], "prefers token 9"),
    ],
)
def test_disagreement_is_named(tuned: list[Scores], reason: str) -> None:
    verdict = compare(ROWS, BASE, tuned)
    assert verdict.failure is not None
    assert reason in verdict.failure


def test_the_tolerance_follows_from_the_base() -> None:
    noisy = [scores([-3.1, -2.0], 4), scores([-4.0], 4)]
    verdict = compare(ROWS, noisy, [scores([-1.3, -0.5]), scores([-2.0])])
    assert verdict.tolerance == pytest.approx(0.4)
    assert verdict.failure is None


def test_near_ties_may_fall_either_way() -> None:
    rows = [row([-3.0], [-1.0], token=5, margin=FLOOR)]
    assert compare(rows, [scores([-3.0], 4)], [scores([-1.0], token=6)]).failure is None


def test_a_tuning_without_effect_is_noticed() -> None:
    rows = [row([-3.0], [-3.0001])]
    assert compare(rows, [scores([-3.0])], [scores([-3.0001])]).unchanged


def test_rows_of_other_lengths_are_no_agreement() -> None:
    with pytest.raises(ValueError, match="tokens"):
        compare([row([-3.0], [-1.0])], [scores([-3.0, -2.0])], [scores([-1.0])])
