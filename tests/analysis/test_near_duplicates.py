"""Groups of rows that say the same."""

import numpy as np
import pytest

from tunewright.analysis.duplicates import Groups, by_cosine, by_texts, equal, nearest_groups
from tunewright.analysis.knn import Vectors, knn


def turned(*degrees: float) -> Vectors:
    """Unit vectors of a plane, by their angles."""
    angles = np.deg2rad(np.array(degrees))
    return np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)


def test_groups_are_told_by_their_first_row() -> None:
    groups = Groups(np.array([0, 1, 0, 3, 1, 0]))
    assert groups.first.tolist() == [0, 1, 3]
    assert groups.groups == ((0, 2, 5), (1, 4))
    assert groups.sizes.tolist() == [3, 2, 1]


def test_a_cosine_groups_what_is_within_it_of_the_first_row() -> None:
    vectors = turned(0, 90, 5, 12, 200, 94, 0)
    least = float(np.cos(np.deg2rad(10)))
    assert by_cosine(vectors, least).of.tolist() == [0, 1, 0, 3, 4, 1, 0]
    assert by_cosine(vectors, 1.0).of.tolist() == [0, 1, 2, 3, 4, 5, 0]
    with pytest.raises(ValueError, match=r"The threshold is 1.2: name a cosine"):
        by_cosine(vectors, 1.2)


def test_no_group_is_a_chain() -> None:
    """Each 4 degrees from the next: end to end they are 76 degrees apart."""
    groups = by_cosine(turned(*range(0, 80, 4)), float(np.cos(np.deg2rad(5))))
    assert {len(group) for group in groups.groups} == {2}


def test_all_that_is_within_the_threshold_of_a_row_is_in_its_group() -> None:
    """40 rows around one, far from each other: more than pairs of a row are looked at."""
    spokes = np.eye(41, dtype=np.float32)[1:] * 0.6
    spokes[:, 0] = 0.8
    vectors = np.concatenate([np.eye(41, dtype=np.float32)[:1], spokes])
    assert by_cosine(vectors, 0.79).groups == (tuple(range(41)),)
    assert by_cosine(vectors[::-1], 0.79).groups == ((0, 40),)


@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_a_hundred_rows_alike_are_one_group(noise: float) -> None:
    """More than a row is held against."""
    random = np.random.default_rng(2)
    others = random.normal(size=(300, 30))
    alike = np.repeat(random.normal(size=(1, 30)), 100, axis=0)
    vectors = np.concatenate([others[:150], alike, others[150:]])
    vectors += noise * random.normal(size=vectors.shape)
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    whole = tuple(range(150, 250))
    assert by_cosine(unit, 0.99).groups == (whole,)
    keys = list(map(str, range(400)))
    assert by_texts(unit, keys, lambda *pair: set(pair) <= set(whole)).groups == (whole,)
    assert equal(unit).groups == ((whole,) if not noise else ())


def test_texts_decide_about_the_rows_that_lie_nearest() -> None:
    vectors = turned(0, 1, 2, 90, 91)
    asked: list[tuple[int, int]] = []

    def same(one: int, other: int) -> bool:
        asked.append((one, other))
        return {one, other} == {0, 2}

    assert by_texts(vectors, list("abcde"), same).of.tolist() == [0, 1, 0, 3, 4]
    assert len(asked) == len(set(asked))
    assert by_texts(vectors[:1], ["a"], same).groups == ()
    assert by_texts(vectors[:0], [], same).groups == ()
    alike = turned(*[10] * 30)  # of texts that a model cannot read
    assert by_texts(alike, list(map(str, range(30))), same).groups == ((0, 2),)
    assert by_texts(vectors, list("abcab"), same).of.tolist() == [0, 1, 0, 0, 1]


@pytest.mark.parametrize("copies", [2, 30])
def test_neighbours_that_were_found_once_are_not_looked_for_again(copies: int) -> None:
    """Copies fill the list of neighbours of what is near them: there they are looked for again."""
    random = np.random.default_rng(4)
    vectors = random.normal(size=(120, 12))
    vectors[20 : 20 + copies] = vectors[3] + 0.001 * random.normal(size=(copies, 12))
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    alike = {3, *range(20, 20 + copies)}
    keys = list(map(str, range(120)))
    groups = by_texts(unit, keys, lambda one, other: {one, other} <= alike)
    assert groups.groups == (tuple(sorted(alike)),)
    heard: list[float] = []
    found = nearest_groups(unit, groups, 5, heard.append)
    plain = knn(unit[groups.first], 5)
    assert (found.ids == plain.ids).all()
    np.testing.assert_allclose(found.distances, plain.distances, atol=1e-6)
    assert bool(heard) == (copies > 20)
    assert nearest_groups(unit, groups, 25).ids.shape == (120 - copies, 25)
