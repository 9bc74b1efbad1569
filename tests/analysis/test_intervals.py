import numpy as np
import pytest

from tunewright.analysis.intervals import Interval, bootstrap


def test_intervals_of_a_mean_hold_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        sample = random.normal(size=60)
        found = bootstrap(lambda rows, of=sample: of[rows].mean(), 60, rounds=200)
        held += found.low <= 0 <= found.high
    assert 180 <= held <= 199  # 95 % of 200 are 190, give or take three standard deviations


def test_rows_that_belong_together_say_less_than_as_many_others() -> None:
    values = np.repeat(np.random.default_rng(1).normal(size=20), 10)
    groups = np.repeat(np.arange(20), 10)
    alone = bootstrap(lambda rows: values[rows].mean(), 200)
    together = bootstrap(lambda rows: values[rows].mean(), 200, groups=groups)
    assert together.high - together.low > 2.5 * (alone.high - alone.low)  # the square root of 10
    assert together.value == alone.value == pytest.approx(values.mean())


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values = np.arange(50.0)

    def found(seed: int) -> Interval:
        return bootstrap(lambda rows: values[rows].mean(), 50, seed=seed)

    assert found(1) == found(1) != found(2)


def test_what_cannot_be_drawn() -> None:
    assert bootstrap(lambda _: 3.0, 1) == Interval(3.0, 3.0, 3.0)
    nowhere = bootstrap(lambda rows: 1.0 if len(set(rows.tolist())) == 4 else float("nan"), 4)
    assert nowhere == Interval(1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="no rows"):
        bootstrap(lambda _: 0.0, 0)
