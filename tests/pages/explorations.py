"""Explorations of planted tables: topics of own words, laid out without any embedding."""

import hashlib
from types import SimpleNamespace
from typing import Any

import numpy as np

from tunewright.analysis.exploration import About, Exploration
from tunewright.analysis.intervals import Interval

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
        "map": SimpleNamespace(
            positions=_positions(of, topics, random), method="t-sne", sample=None
        ),
        "clusters": _clusters(of, topics),
        "anomalies": _anomalies(random.gamma(8, 0.125, rows)),
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
        "command": "tunewright explore reviews.csv --column text -o report.html",
        "version": "0.5.0",
    }
    return About(**(given | changed))


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


def _clusters(of: Any, topics: int) -> Any:
    found = tuple(
        SimpleNamespace(
            number=topic,
            rows=np.flatnonzero(of == topic),
            name=", ".join(WORDS[topic % len(WORDS)].split()[:3]),
            terms=tuple(WORDS[topic % len(WORDS)].split()),
            stability=Interval(0.9, 0.85, 0.94),
            stable=True,
        )
        for topic in range(topics)
    )
    return SimpleNamespace(of=of, all=found, method="k-means", silhouette=0.31, tried=())


def _anomalies(scores: Any) -> Any:
    far = np.argsort(-scores)[: max(1, len(scores) // 50)]
    found = tuple(
        SimpleNamespace(
            row=int(row),
            score=float(scores[row]),
            times_usual=float(scores[row] / np.median(scores)),
            nearest=(0, 1),
            reason="Its nearest rows are far.",
        )
        for row in far
    )
    return SimpleNamespace(
        scores=scores, threshold=float(scores[far[-1]]), found=found, share=0.02, method="knn"
    )


def _diversity(rows: int) -> Any:
    groups = ((1, 5, 9), (3, 4)) if rows > 10 else ()
    return SimpleNamespace(
        rows=rows,
        mean_distance=Interval(0.71, 0.7, 0.72),
        vendi=rows * 0.4,
        effective_rows=rows * 0.8,
        duplicates=groups,
        duplicate_rows=sum(map(len, groups)),
        threshold=0.95,
    )
