"""Search in a table, against the plainest possible computation."""

import math
from collections import Counter
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.analysis.bm25 import WordIndex
from tunewright.analysis.distances import similarities
from tunewright.analysis.fusion import fused
from tunewright.analysis.nearest import METRICS, Metric, nearest
from tunewright.analysis.search import search
from tunewright.analysis.variety import varied
from tunewright.analysis.words import asked_words, stored_words
from tunewright.vectors import exact, index

TEXTS = [
    "The kettle leaks.",
    "Two kettles, both of them loud kettles.",
    "无线耳机很好",
    "",
    "Café crème, très bon; Ärger!",
    "หูฟังไร้สาย เสียงดี",
    "무선 이어폰",
]


@pytest.mark.parametrize(
    ("text", "query", "found"),
    [
        ("Kettles", "kettle", True),
        ("batteries", "Battery", True),
        ("bus", "bu", False),
        ("我买的无线耳机很好", "耳机", True),
        ("我买的无线耳机很好", "线机", False),  # both letters, but not side by side
        ("好茶", "茶", True),
        ("หูฟังไร้สาย", "ไร้สาย", True),
        ("\uff57ide café", "wide CAFE", True),  # a letter of full width
        ("हिन्दी", "हिन्द", False),  # a vowel sign is part of its word
        ("c++ a_b", "+ _", False),
    ],
)
def test_words_of_any_script(text: str, query: str, found: bool) -> None:
    assert bool(set(asked_words(query)) & set(stored_words(text))) == found


def test_bm25_is_its_formula() -> None:
    rows = [Counter(stored_words(text)) for text in TEXTS]
    lengths = [row.total() for row in rows]
    usual = sum(lengths) / len(rows)
    for query in ("kettle leaks kettle", "耳机 kettle", "leaks 무선", "absent", "", "!"):
        expected = np.zeros(len(rows))
        for word in asked_words(query):
            among = sum(word in row for row in rows)
            rare = math.log(1 + (len(rows) - among + 0.5) / (among + 0.5))
            for place, row in enumerate(rows):
                often = row[word]
                expected[place] += (
                    rare * often / (often + 1.2 * (0.25 + 0.75 * lengths[place] / usual))
                )
        np.testing.assert_allclose(WordIndex(TEXTS).scores(query), expected, atol=1e-9)


def test_texts_without_any_word() -> None:
    assert WordIndex(["", "?!"]).scores("what").tolist() == [0, 0]
    assert WordIndex([]).scores("what").tolist() == []


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 99), st.sampled_from(METRICS))
@settings(max_examples=60)
def test_nearest_rows_that_are_meant(n: int, k: int, seed: int, metric: Metric) -> None:
    random = np.random.default_rng(seed)
    vectors = random.integers(-2, 3, (n, 3)).astype(np.float32)  # many equal ones
    query, mask = random.integers(-2, 3, 3).astype(np.float32), random.random(n) < 0.6
    hits = search(vectors, None, query, "", k, method="vectors", metric=metric, mask=mask)
    near = similarities(query, vectors, metric)
    meant = sorted(np.flatnonzero(mask).tolist(), key=lambda row: (-near[row], row))
    assert [hit.row for hit in hits] == meant[:k]
    assert [hit.score for hit in hits] == [near[row] for row in meant[:k]]


def test_the_three_words_mean_the_same_everywhere_and_rank_unit_vectors_alike() -> None:
    assert get_args(index.Metric) == METRICS
    random = np.random.default_rng(0)
    vectors = random.standard_normal((200, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    query, ids = vectors[0] + 0.5 * vectors[1], [f"{row:03}" for row in range(200)]
    query /= np.linalg.norm(query)
    orders: list[list[int]] = []
    for metric in get_args(Metric):
        orders.append(np.argsort(-similarities(query, vectors, metric), kind="stable").tolist())
        orders.append(nearest(query[None], vectors, 200, metric)[0][0].tolist())
        hits = exact.nearest(metric, query[None], ids, vectors, 200)
        orders.append([int(id) for id in hits.ids[0]])
    assert all(order == orders[0] for order in orders)


def test_the_three_differ_on_other_vectors() -> None:
    vectors = np.array([[3, 3], [1, 0], [0, 0]], np.float32)
    query = np.array([1, 0], np.float32)
    assert similarities(query, vectors, "dot").tolist() == [3, 1, 0]
    np.testing.assert_allclose(similarities(query, vectors), [math.sqrt(0.5), 1, 0])
    np.testing.assert_allclose(
        similarities(query, vectors, "euclidean"), [-math.sqrt(13), 0, -1], atol=1e-12
    )


def test_rrf_is_the_fusion_of_both_orders() -> None:
    random = np.random.default_rng(1)
    vectors = random.standard_normal((len(TEXTS), 4)).astype(np.float32)
    query, words = vectors[2], WordIndex(TEXTS)
    orders = {
        method: [hit.row for hit in search(vectors, words, query, "kettle", 9, method=method)]
        for method in ("vectors", "words")
    }
    assert sorted(orders["words"]) == [0, 1]
    expected = {
        row: sum(1 / (60 + 1 + order.index(row)) for order in orders.values() if row in order)
        for row in range(len(TEXTS))
    }
    hits = search(vectors, words, query, "kettle", 9, method="rrf")
    assert [hit.row for hit in hits] == sorted(expected, key=lambda row: -expected[row])
    for hit in hits:
        assert hit.score == pytest.approx(expected[hit.row] / (2 / 61))
        assert hit.words == words.scores("kettle")[hit.row]


def test_hybrid_adds_scores_of_one_scale() -> None:
    texts = ["red kettle", "blue kettle", "green teapot", "other thing"]
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1], [0, -1]], np.float32)
    query, words = np.array([0.6, 0.8], np.float32), WordIndex(texts)
    near, shares = vectors @ query, words.shares("red kettle")
    # Every row has the usual length: one that has both words has all that is asked.
    assert shares[0] == pytest.approx(1)
    assert 0 < shares[1] < 0.5
    assert words.shares("red zebra")[0] < 0.5  # half of it nobody has, and that half is the rarer
    expected = ((near - near.mean()) / (near.max() - near.mean()) + 1.5 * shares) / 2.5
    hits = search(vectors, words, query, "red kettle", 4)
    assert [hit.row for hit in hits] == np.argsort(-expected).tolist()
    assert [hit.score for hit in hits] == pytest.approx(sorted(expected, reverse=True))
    # However narrow the range of a model's cosines is, the order is the same.
    lifted = np.column_stack([vectors, np.full(4, 9)]).astype(np.float32)
    tall = np.append(query, 9).astype(np.float32)
    again = search(lifted, words, tall, "red kettle", 4, metric="dot")
    assert [hit.score for hit in again] == pytest.approx([hit.score for hit in hits], abs=1e-5)
    # The rows that are meant are all that counts.
    mask = np.array([False, True, True, True])
    assert search(vectors, words, query, "none", 1, mask=mask)[0].score == pytest.approx(1 / 2.5)
    same = np.repeat(vectors[:1], 4, axis=0)
    assert [hit.row for hit in search(same, words, query, "teapot", 4)] == [2, 0, 1, 3]
    assert search(vectors, words, query, "red", 4, mask=np.zeros(4, np.bool_)) == []


def test_weights_of_the_fusion() -> None:
    assert fused([(3, ["a", "b"]), (1, ["b"])]) == pytest.approx(
        {"a": 0.75, "b": (3 / 62 + 1 / 61) / (4 / 61)}
    )
    assert fused([(1, []), (1, [])]) == {}


def test_of_near_equals_one_is_shown_first() -> None:
    vectors = np.array([[1, 0], [0.999, 0.045], [0.995, 0.1], [0.6, -0.8]], np.float32)
    query = np.array([0.95, -0.3], np.float32)
    hits = search(vectors, None, query, "", 2, method="vectors", variety=0.5)
    assert [hit.row for hit in hits] == [0, 3]
    plain = search(vectors, None, query, "", 2, method="vectors")
    assert [hit.row for hit in plain] == [0, 1]
    relevance = similarities(query, vectors)
    assert varied(relevance, vectors, 9, 0).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "words"}, "needs the words"),
        ({"method": "other"}, "Known: hybrid, rrf, vectors, words"),
        ({"metric": "manhattan"}, "Known: cosine, dot, euclidean"),
        ({"k": 0}, "at least 1"),
        ({"query": None}, "needs the vector"),
        ({"query": np.ones(3, np.float32)}, "do not fit"),
        ({"query": np.array([np.nan, 1], np.float32)}, "query holds NaN"),
        ({"vectors": np.array([[1, 1], [np.inf, 1]], np.float32)}, "row 1 holds NaN"),
        ({"variety": 2}, "between 0 and 1"),
    ],
)
def test_what_does_not_fit_is_said(change: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {
        "vectors": np.eye(2, dtype=np.float32),
        "words": None,
        "query": np.ones(2, np.float32),
        "text": "",
        "k": 1,
        "method": "vectors",
    }
    with pytest.raises(ValueError, match=said):
        search(**{**given, **change})
