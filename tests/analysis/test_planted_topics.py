"""Five topics among mixed texts are found again, and each is named by its own words."""

from collections import Counter

import numpy as np
import pytest

from analysis.planted_topics import ROWS_EACH, TOPICS, planted
from tunewright import builtin
from tunewright.analysis.cluster_names import named
from tunewright.analysis.clusters import Method, clusters
from tunewright.embedding import open_embedder

metrics = pytest.importorskip("sklearn.metrics", reason="the extra `explore` is not installed")


@pytest.mark.parametrize(
    ("model", "method"),
    [
        ("static", "k-means"),
        pytest.param("static", "hdbscan", marks=pytest.mark.slow),
        pytest.param("mini", "k-means", marks=pytest.mark.slow),
        pytest.param("mini", "hdbscan", marks=pytest.mark.slow),
    ],
)
def test_planted_topics_are_found_stable_and_named(model: str, method: Method) -> None:
    texts, topics = planted()
    vectors = open_embedder(builtin.ROOT / model).embed(texts).vectors
    found = clusters(vectors, texts, method=method)
    assert metrics.adjusted_rand_score(topics, found.of) >= 0.9
    assert len(found.all) == len(TOPICS)
    assert all(cluster.stable for cluster in found.all)
    for cluster in found.all:
        [(topic, _)] = Counter(topics[row] for row in cluster.rows).most_common(1)
        first = {*cluster.terms[0].casefold().split()}
        assert first & TOPICS[topic].words, (cluster.name, TOPICS[topic].named)
        others = {word for other in TOPICS if other != TOPICS[topic] for word in other.words}
        assert not others & {*cluster.name.casefold().replace(",", "").split()}


def test_other_draws_of_the_same_sentences_are_named_as_well() -> None:
    """Of the topics as they were planted, so that names alone are tried."""
    for seed in range(1, 6):
        texts, topics = planted(seed)
        members = [np.flatnonzero(np.array(topics) == topic) for topic in range(len(TOPICS))]
        assert [len(rows) for rows in members] == [ROWS_EACH] * len(TOPICS)
        names = named(members, np.zeros(0, np.int64), texts)
        for topic, name in zip(TOPICS, names, strict=True):
            assert topic.words & {*" ".join(name.terms[:3]).casefold().split()}, name


def test_a_language_without_blanks_is_named_by_its_words() -> None:
    about = {
        "快递": ["快递三天才到", "快递员态度很好", "包装破了快递也不管", "这次快递真的很慢"],
        "咖啡": ["这个咖啡很香", "早上喝一杯咖啡", "咖啡有点苦", "我喜欢不加糖的咖啡"],
        "耳机": ["无线耳机音质不错", "耳机右边没有声音", "无线耳机戴着很舒服", "买了新的无线耳机"],
    }
    texts = [text for some in about.values() for text in some]
    members = [np.arange(at, at + 4) for at in (0, 4, 8)]
    names = named(members, np.zeros(0, np.int64), texts)
    for word, name in zip(about, names, strict=True):
        assert word in name.terms[0], names
