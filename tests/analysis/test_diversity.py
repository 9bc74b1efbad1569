"""How varied tables are, one and two of them, against the plain computation."""

from itertools import combinations

import numpy as np
import pytest

from tunewright.analysis.diversity import diversity, vendi_score
from tunewright.analysis.duplicates import Groups
from tunewright.analysis.knn import Vectors
from tunewright.analysis.two_tables import comparison, coverage, expected_coverage


def spread(rows: int, dimensions: int = 8, seed: int = 0, width: float = 1.0) -> Vectors:
    """Unit vectors around a direction, the same one for each seed."""
    random = np.random.default_rng(seed)
    vectors = np.eye(dimensions)[0] + width * random.normal(size=(rows, dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_the_mean_distance_is_that_of_all_pairs_and_its_interval_that_of_drawn_pairs() -> None:
    vectors = spread(60)
    found = diversity(vectors).mean_distance
    pairs = [1 - float(vectors[a] @ vectors[b]) for a, b in combinations(range(60), 2)]
    assert found.value == pytest.approx(np.mean(pairs), abs=1e-6)
    random, means = np.random.default_rng(5), []
    distances = 1 - vectors @ vectors.T
    for _ in range(600):
        drawn = random.integers(60, size=60)
        others = drawn[:, None] != drawn  # a row drawn twice is no pair
        means.append(distances[drawn][:, drawn][others].mean())
    low, high = np.quantile(means, [0.025, 0.975])
    assert [found.low, found.high] == pytest.approx([low, high], abs=0.2 * (high - low))


def test_vendi_counts_what_has_nothing_in_common() -> None:
    axes = np.eye(12, dtype=np.float32)
    assert vendi_score(axes) == pytest.approx(12)
    assert vendi_score(np.repeat(axes[:3], 50, axis=0)) == pytest.approx(3)
    assert vendi_score(axes[[0] * 9]) == pytest.approx(1)
    assert vendi_score(np.zeros((4, 5), np.float32)) == 1
    few = spread(30, 40)
    wide = np.concatenate([few, few])  # more rows than dimensions: the other matrix
    cosines = few.astype(np.float64) @ few.T
    shares = np.linalg.eigvalsh(cosines / 30)
    shares = shares[shares > 1e-12]
    wanted = float(np.exp(-(shares * np.log(shares)).sum()))
    assert [vendi_score(few), vendi_score(wide)] == pytest.approx([wanted, wanted], rel=1e-5)


def test_effective_rows_and_near_duplicates() -> None:
    vectors = spread(10)
    assert diversity(vectors).effective_rows == pytest.approx(10)
    pairs = Groups(np.arange(10) // 2 * 2)
    found = diversity(vectors, groups=pairs, threshold=0.9)
    assert found.effective_rows == pytest.approx(5)
    assert (found.duplicate_rows, len(found.duplicates), found.threshold) == (5, 5, 0.9)
    uneven = diversity(vectors, groups=Groups(np.array([0] * 9 + [9])))
    assert uneven.effective_rows == pytest.approx(10 / 9**0.9)
    assert uneven.mean_distance.high - uneven.mean_distance.low > 0


def test_few_rows_and_none() -> None:
    one = diversity(spread(1))
    assert (one.mean_distance.value, one.vendi, one.effective_rows) == (0, pytest.approx(1), 1)
    with pytest.raises(ValueError, match="There are no rows"):
        diversity(spread(0))
    with pytest.raises(ValueError, match="row 1 holds NaN"):
        diversity(np.array([[1, 0], [np.nan, 0]], np.float32))


def test_coverage_is_what_was_expected_for_one_distribution_and_shows_holes() -> None:
    random = np.random.default_rng(1)
    table, reference = np.split(spread(800)[random.permutation(800)], 2)
    same = coverage(table, reference)
    assert same.expected == pytest.approx(expected_coverage(400, 400), abs=1e-9)
    assert same.share.low <= same.expected <= same.share.high
    away = np.zeros((50, 8), np.float32)
    away[:, 5] = 1
    away += 0.05 * spread(50, seed=3)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    lacking = coverage(table, np.concatenate([reference, away]))
    assert set(range(400, 450)) <= set(lacking.uncovered)
    assert list(lacking.distances) == sorted(lacking.distances, reverse=True)
    assert sorted(row for hole in lacking.holes for row in hole.rows) == sorted(lacking.uncovered)
    assert len(lacking.holes[0].rows) >= 45
    assert all(
        len(one.rows) >= len(two.rows)
        for one, two in zip(lacking.holes, lacking.holes[1:], strict=False)
    )


def test_expected_coverage_is_that_of_drawn_numbers() -> None:
    random = np.random.default_rng(0)
    shares = []
    for _ in range(300):
        table, reference = random.random(30), random.random(20)
        gaps = np.sort(np.abs(reference[:, None] - reference), axis=1)[:, 5]
        near = np.abs(reference[:, None] - table).min(axis=1)
        shares.append((near <= gaps).mean())
    assert expected_coverage(30, 20) == pytest.approx(np.mean(shares), abs=0.005)
    assert expected_coverage(10, 2) == pytest.approx(10 / 11)


def test_the_more_varied_of_two_tables_and_whether_they_differ() -> None:
    narrow, wide = spread(150, seed=1, width=0.5), spread(200, seed=2)
    found = comparison(wide, narrow)
    assert found.more_diverse.low > 0
    assert found.vendi[0] > found.vendi[1]
    assert (found.differ, found.sample) == (True, (200, 150))
    assert comparison(narrow, wide).more_diverse.high < 0
    assert comparison(wide, narrow) == found
    assert comparison(wide, wide[::-1]).apart == pytest.approx(0, abs=1e-6)


def test_tables_of_one_distribution_seldom_differ() -> None:
    random = np.random.default_rng(3)
    differ = 0
    for _ in range(20):
        rows = spread(80, seed=int(random.integers(1 << 30)))
        found = comparison(rows[:40], rows[40:])
        differ += found.differ
        differ += not found.more_diverse.low <= 0 <= found.more_diverse.high
    assert differ <= 6  # of 40, each 1 in 20


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(ValueError, match="8 and 9 dimensions: they are of two models"):
        comparison(spread(10), spread(10, 9))
    with pytest.raises(ValueError, match="one row cannot be compared"):
        comparison(spread(10), spread(1))
    with pytest.raises(ValueError, match="All rows of the reference are the same"):
        coverage(spread(10), np.repeat(spread(1), 5, axis=0))
