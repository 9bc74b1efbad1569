"""Explorations of planted tables: topics of own words, laid out without any embedding."""

import hashlib
from typing import Any

import numpy as np

from tunewright import suggestions
from tunewright.analysis.anomalies import Anomalies, Anomaly
from tunewright.analysis.classification import Classification
from tunewright.analysis.classifiers import Linear
from tunewright.analysis.clusters import Cluster, Clusters
from tunewright.analysis.confidence import Bin
from tunewright.analysis.diversity import Diversity
from tunewright.analysis.exploration import About, Exploration
from tunewright.analysis.hit_rates import HitRates
from tunewright.analysis.intervals import Interval
from tunewright.analysis.labels import Suspect
from tunewright.analysis.learning import Forecast, Point
from tunewright.analysis.maps import Map
from tunewright.analysis.regression import Regression

WORDS = (
    "coffee cup roast bitter",
    "dog food puppy bowl",
    "tea leaves green pot",
    "shoes sole lace walk",
)


def exploration(rows: int = 60, topics: int = 3, *, words: int = 12, **changed: Any) -> Exploration:
    """`rows` texts of `words` words in `topics` clusters, with a label and a number."""
    random = np.random.default_rng(0)
    of = np.sort(random.integers(topics, size=rows))
    given: dict[str, Any] = {
        "about": about(),
        "lines": tuple(range(2, rows + 2)),
        "texts": _texts(of, words, random),
        "labels": (("stars", tuple("12345"[number % 5] for number in range(rows))),),
        "numbers": (
            ("price", tuple(round(float(price), 2) for price in random.gamma(2, 9, rows))),
        ),
        "map": Map(_positions(of, topics, random), "t-sne", None),
        "clusters": _clusters(of, topics),
        "anomalies": _anomalies(random.gamma(8, 0.125, rows)) if rows >= 10 else None,
        "diversity": _diversity(rows),
    }
    return Exploration(**(given | changed))


def about(**changed: Any) -> About:
    given: dict[str, Any] = {
        "table": "reviews.csv",
        "table_sha256": hashlib.sha256(b"table").hexdigest(),
        "columns": ("text",),
        "model": "builtin-mini",
        "fingerprint": hashlib.sha256(b"model").hexdigest(),
        "dimensions": 384,
        "version": "0.5.0",
        "options": (("column", "text"), ("model", "builtin-mini")),
    }
    given |= changed
    again = suggestions.command("explore", "report", given["table"], output="report.html")
    return About(**({"command": again} | given))


def _texts(of: Any, words: int, random: Any) -> tuple[str, ...]:
    """Own words of each topic between words that hardly repeat, as texts of people have them."""
    rare = np.array(["".join(random.choice(list("aeioulnrst"), 6)) for _ in range(8_000)])
    own = [np.array(WORDS[topic % len(WORDS)].split()) for topic in of]
    return tuple(
        " ".join([*random.choice(mine, 3), *random.choice(rare, max(words - 3, 0))]) for mine in own
    )


def _positions(of: Any, topics: int, random: Any) -> Any:
    angles = 2 * np.pi * np.arange(topics) / topics
    centres = 10 * np.stack([np.cos(angles), np.sin(angles)], axis=1)  # [topics, 2]
    return (centres[of] + random.normal(0, 1.6, (len(of), 2))).astype(np.float32)


def _clusters(of: Any, topics: int) -> Clusters:
    found = tuple(
        Cluster(
            topic,
            np.flatnonzero(of == topic),
            ", ".join(WORDS[topic % len(WORDS)].split()[:3]),
            tuple(WORDS[topic % len(WORDS)].split()),
            Interval(0.9, 0.85, 0.94),
            stable=True,
            silhouette=0.3,
        )
        for topic in range(topics)
    )
    return Clusters(of, found, "k-means", 0.31, chance=0.04, tried=(), sample=None)


def _anomalies(scores: Any) -> Anomalies:
    far = np.argsort(-scores)[: max(1, len(scores) // 50)]
    usual = float(np.median(scores))
    found = tuple(
        Anomaly(int(row), float(scores[row]), float(scores[row]) / usual, (0, 1), "It lies far.")
        for row in far
    )
    return Anomalies(scores, float(scores[far[-1]]), found, 0.02, "knn", 10, usual, 6)


def _diversity(rows: int) -> Diversity:
    groups = ((1, 5, 9), (3, 4)) if rows > 10 else ()
    extra = sum(len(group) - 1 for group in groups)
    distance = Interval(0.71, 0.7, 0.72)
    return Diversity(rows, distance, rows * 0.4, float(rows - extra), groups, extra, None)


def classification(labels: tuple[str, ...], rows: int = 60, suspects: int = 20) -> Classification:
    """Of `labels`, told rightly three times of four."""
    c = len(labels)
    given = np.arange(rows) % c
    predicted = np.where(np.arange(rows) % 4, given, (given + 1) % c)
    confusion = np.bincount(given * c + predicted, minlength=c * c).reshape(c, c)
    return Classification(
        labels=labels,
        method="logistic regression",
        rows=rows,
        grouped=0,
        folds=5,
        accuracy=Interval(0.75, 0.71, 0.79),
        macro_f1=Interval(0.74, 0.7, 0.78),
        auc=None,
        majority=1 / c,
        confusion=confusion,
        given=given,
        predicted=predicted,
        confidence=np.full((rows, c), 1 / c),
        calibration=tuple(Bin(x, x + 0.2, x + 0.1, x + 0.05, 12) for x in (0.2, 0.4, 0.6, 0.8)),
        learning=tuple(Point(n, Interval(0.8 - 2 / n, 0.7 - 2 / n, 0.85)) for n in (20, 40, 80)),
        forecast=Forecast(320, 4.0, Interval(0.8, 0.75, 0.86), Interval(0.05, 0, 0.1), "So it is."),
        suspects=tuple(
            Suspect(row, labels[given[row]], labels[predicted[row]], 0.93, 0.02)
            for row in range(0, min(4 * suspects, rows), 4)
        ),
        strength=1.0,
        temperature=1.0,
        model=Linear(np.zeros((4, c)), np.zeros(c)),
        notes=("10 rows without a label: predicted, not learned from.",),
    )


def regression(rows: int = 60) -> Regression:
    values, model = np.arange(rows, dtype=float), Linear(np.zeros((4, 1)), np.zeros(1))
    r2, mae = Interval(0.42, 0.35, 0.5), Interval(3.2, 2.9, 3.6)
    return Regression(rows, 0, 5, r2, mae, 5.1, values, values, 1.0, model)


def hit_rates() -> HitRates:
    ours, popular, chance = (
        Interval(0.31, 0.25, 0.37),
        Interval(0.2, 0.15, 0.25),
        Interval(0.05, 0.04, 0.06),
    )
    return HitRates(10, 200, 240, 12, 500, ours, popular, chance, Interval(0.11, 0.04, 0.18))
