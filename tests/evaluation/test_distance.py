"""Distances and intervals, by hand and against the plain recurrence."""

import random

import pytest

from tunewright.evaluation.distance import distance, interval
from tunewright.imports.regression import canonical


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("", "", 0),
        ("same", "same", 0),
        ("", "abcd", 1),
        ("abc", "xyz", 1),
        ("kitten", "sitting", 3 / 7),  # k -> s, e -> i, g added
        ("ab", "b", 1 / 2),
        ("\U0001f600a", "a", 1 / 2),  # a character, not the two halves of a surrogate pair
    ],
)
def test_distances_by_hand(one: str, other: str, expected: float) -> None:
    assert distance(one, other) == distance(other, one) == pytest.approx(expected)


def test_distances_are_those_of_the_plain_recurrence() -> None:
    dice = random.Random(5)
    for _ in range(200):
        one, other = ("".join(dice.choices("abc", k=dice.randrange(1, 12))) for _ in "12")
        assert distance(one, other) == pytest.approx(_edits(one, other) / max(len(one), len(other)))


def _edits(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for at, a in enumerate(one, 1):
        before, row = row, [at]
        for to, b in enumerate(other, 1):
            row.append(min(before[to] + 1, row[-1] + 1, before[to - 1] + (a != b)))
    return row[-1]


def test_what_says_the_same() -> None:
    call = {"id": "call_1", "function": {"name": "f", "arguments": '{"b": 1, "a": 2}'}}
    again = {"id": "call_2", "function": {"name": "f", "arguments": '{"a":2,"b":1}'}}
    one = canonical({"content": " Yes.\n ", "tool_calls": [call]})
    assert one == canonical({"content": "Yes.", "tool_calls": [again], "refusal": None})
    assert one == 'Yes.\nf({"a": 2, "b": 1})'
    assert canonical({"content": None, "function_call": again["function"]}) == one[5:]
    assert canonical({"content": [{"type": "text", "text": "Yes."}]}) == "Yes."


def test_an_interval_holds_the_mean_and_narrows() -> None:
    values = [0.0, 1.0] * 50
    low, high = interval(values)
    assert low < 0.5 < high
    assert high - low < 0.25
    wide_low, wide_high = interval(values[:8])
    assert wide_high - wide_low > high - low
    assert interval([0.3]) == pytest.approx((0.3, 0.3))
