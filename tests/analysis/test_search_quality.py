"""Recall, MRR and nDCG by hand; intervals hold what was measured."""

import math

import pytest

from tunewright.analysis.search_quality import difference, search_quality

FOUND = [[4, 7, 1], [2, 3, 5], [9, 8, 6]]
RELEVANT = [{7: 1.0, 1: 2.0}, {2: 1.0}, {0: 1.0}]


def test_by_hand() -> None:
    got = search_quality(FOUND, RELEVANT, 3)
    first = (1 / math.log2(3) + 2 / 2) / (2 + 1 / math.log2(3))
    assert got.ndcgs.tolist() == pytest.approx([first, 1, 0])
    assert got.ndcg.value == pytest.approx((first + 1) / 3)
    assert got.reciprocal_rank.value == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert got.recall.value == pytest.approx(2 / 3)
    assert 0 <= got.ndcg.low < got.ndcg.value < got.ndcg.high <= 1
    assert search_quality(FOUND, RELEVANT, 1).recall.value == pytest.approx(1 / 3)


def test_a_difference_is_taken_query_by_query() -> None:
    one = search_quality(FOUND, RELEVANT, 3)
    other = search_quality([rows[::-1] for rows in FOUND], RELEVANT, 3)
    apart = difference(one, other)
    assert apart.value == pytest.approx(one.ndcg.value - other.ndcg.value)
    assert difference(one, one).high == 0
    with pytest.raises(ValueError, match="another k"):
        difference(one, search_quality(FOUND, RELEVANT, 2))


def test_labels_that_would_be_counted_wrongly() -> None:
    with pytest.raises(ValueError, match="Query 1 has no relevant row"):
        search_quality([[1], [2]], [{1: 1}, {}])
    with pytest.raises(ValueError, match="Query 0 found a row twice"):
        search_quality([[1, 1]], [{1: 1}])
    with pytest.raises(ValueError, match="0 queries"):
        search_quality([], [])
