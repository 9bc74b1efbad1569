"""Recommendations: never what was seen, as near as they say, and measured as they say."""

import numpy as np
import pytest

from tunewright.analysis.distances import similarities, unit
from tunewright.analysis.hit_rates import hit_rates
from tunewright.analysis.interactions import (
    Interactions,
    interactions,
    item_vectors,
    suggest,
    user_vectors,
)
from tunewright.analysis.recommending import like, recommend

RANDOM = np.random.default_rng(0)
CENTRES = unit(RANDOM.standard_normal((4, 16)))
# Rows 0-9 of the first theme, 10-19 of the second ...
ROWS = unit(np.repeat(CENTRES, 10, axis=0) + 0.15 * RANDOM.standard_normal((40, 16)))


def test_rows_like_one() -> None:
    found = like(ROWS, 3, 9)
    assert {one.row for one in found} == {*range(10)} - {3}
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert found[0].score == similarities(ROWS[3], ROWS)[found[0].row]
    mask = np.arange(40) >= 10
    assert all(one.row >= 10 for one in like(ROWS, 3, 50, mask=mask))
    assert len(like(ROWS, 3, 50)) == 39
    with pytest.raises(ValueError, match="no row 40: rows are 0 to 39"):
        like(ROWS, 40, 1)


def test_liked_and_disliked() -> None:
    found = recommend(ROWS, [0, 1, 10], 12, disliked=[30])
    assert not {one.row for one in found} & {0, 1, 10, 30}
    assert {one.row // 10 for one in found} == {0, 1}
    assert all(one.because // 10 == one.row // 10 for one in found)
    # Between two themes, the one that is disliked falls behind.
    both = recommend(ROWS, [0, 10], 5, disliked=[11, 12, 13])
    assert {one.row // 10 for one in both} == {0}
    alike = recommend(np.repeat(ROWS[:1], 4, axis=0), [2], 9)
    assert [one.row for one in alike] == [0, 1, 3]
    with pytest.raises(ValueError, match="Row 1 is liked and disliked"):
        recommend(ROWS, [1], 1, disliked=[1])
    with pytest.raises(ValueError, match="Nothing is liked"):
        recommend(ROWS, [], 1, disliked=[1])


def test_variety_shows_more_than_one_theme() -> None:
    vectors = np.concatenate([ROWS[:1], np.repeat(ROWS[1:2], 6, axis=0), ROWS[10:12]])
    assert {one.row for one in like(vectors, 0, 2, variety=0.7)} & {7, 8}
    assert not {one.row for one in like(vectors, 0, 2)} & {7, 8}


def planted(users: int = 60, seed: int = 1) -> tuple[np.ndarray, Interactions]:
    """Each user has rows of one theme, and rates those of another theme low."""
    random = np.random.default_rng(seed)
    who: list[str | None] = []
    what: list[str | None] = []
    rated: list[float | None] = []
    rows: list[int] = []
    for user in range(users):
        own = 10 * (user % 4) + random.permutation(10)[:4]
        other = 10 * ((user + 1) % 4) + random.permutation(10)[:2]
        for row, rating in [*((row, 5) for row in own), *((row, 1) for row in other)]:
            who.append(f"user {user}")
            what.append(f"item {row}")
            rated.append(rating)
            rows.append(int(row))
    return ROWS[rows], interactions(who, what, rated)


def test_a_user_gets_what_is_like_the_liked_and_was_never_had() -> None:
    vectors, of = planted()
    assert item_vectors(vectors, of).shape == (len(of.items), 16)
    np.testing.assert_allclose(np.linalg.norm(user_vectors(vectors, of), axis=1), 1, atol=1e-6)
    for number, user in enumerate(of.users):
        had = {of.items[item] for item in of.item[of.user == number]}
        found = suggest(vectors, of, user, 6)
        assert {int(one.item.split()[1]) // 10 for one in found} == {number % 4}
        assert not {one.item for one in found} & had
        assert all(one.because in had for one in found)
        assert all(of.items[of.item[list(of.row).index(row)]] == one.item
                   for one in found for row in one.rows)  # fmt: skip
    with pytest.raises(ValueError, match="no user 'nobody'"):
        suggest(vectors, of, "nobody", 1)


def test_rows_without_a_user_an_item_or_a_rating_are_left_out() -> None:
    of = interactions(["a", None, "b", "a"], ["x", "y", "", "y"], [1, 2, 3, None])
    assert (of.users, of.items, of.row.tolist(), of.liking.tolist()) == (("a",), ("x",), [0], [1])
    assert interactions(["a"] * 3, ["x", "y", "z"], [1, 2, 5]).liking.tolist() == [-1, -0.5, 1]
    with pytest.raises(ValueError, match="No row names both"):
        interactions([None], ["x"])
    hater = interactions(["a", "a", "b"], ["x", "y", "x"], [1, 1, 5])
    with pytest.raises(ValueError, match="liked nothing"):
        suggest(ROWS[:3], hater, "a", 1)


def test_hit_rates_of_planted_themes() -> None:
    vectors, of = planted()
    found = hit_rates(vectors, of, 5)
    assert (found.users, found.possible, found.left_out) == (60, 60, 0)
    # Of the theme's ten items three are left to the user, and seven come first in some order.
    assert found.ours.low < 5 / 7 < found.ours.high
    assert found.popularity.high < found.ours.low
    assert hit_rates(vectors, of, 7).ours.value == 1
    assert found.chance.value == pytest.approx(5 / (len(of.items) - 5))
    assert found.over_popularity.value == pytest.approx(found.ours.value - found.popularity.value)
    # k beyond all items: everybody's is found, by chance too.
    assert hit_rates(vectors, of, 99).chance.value == 1
    # Noise instead of vectors: as good as chance.
    noise = RANDOM.standard_normal(vectors.shape).astype(np.float32)
    blind = hit_rates(noise, of, 5)
    assert blind.ours.low < blind.chance.value < blind.ours.high + 0.1


def test_what_was_taken_away_is_not_known() -> None:
    """Two users, each with an item of the other's: the vector of what is held out comes from the
    other alone, so a row that only the asked user wrote cannot help."""
    vectors = np.eye(4, dtype=np.float32)
    of = interactions(["a", "a", "b", "b"], ["x", "y", "x", "z"])
    found = hit_rates(vectors, of, 1)
    # x is held out of both: its vector is the other's row, at a right angle to all else.
    assert found.ours.value == pytest.approx(0.5)  # two items that are not had, equally far
    with pytest.raises(ValueError, match="cannot be measured"):
        hit_rates(vectors[:2], interactions(["a", "b"], ["x", "y"]), 1)
