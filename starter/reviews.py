"""Food reviews: is a tuned starter better than the same model from nothing, and than TF-IDF?

One protocol for all: the same 600 reviews to learn from, the same rest to judge, the same 60 words
of each. Score >= 4 is positive, <= 2 negative; the area under the ROC curve counts, for the two
are far from balanced. Models are tuned by Tunewright's own trainer, all weights, and judged by the
difference of the two answers' log-probabilities. Needs the extra `bench` (scikit-learn).
"""

import csv
import random
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from starter.export import export
from starter.model import Llama, Shape
from starter.tuning import Chat, Scorer, tune

from tunewright.durable import write_bytes

ROWS, WORDS = 600, 60
TOPIC = "You say whether a review of a food is positive or negative."
ANSWERS = ("negative", "positive")
HYPERPARAMETERS = {"n_epochs": 3, "batch_size": 8, "learning_rate_multiplier": 4.0}


@dataclass(frozen=True)
class Reviews:
    """`positive`: 0 or 1 for each of `texts`."""

    texts: list[str]
    positive: NDArray[np.int64]

    @classmethod
    def read(cls, path: Path) -> "Reviews":
        with path.open(encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["Score"] != "3"]
        texts = [" ".join(f"{r['Summary']}. {r['Text']}".split()[:WORDS]) for r in rows]
        return cls(texts, np.array([int(r["Score"]) >= 4 for r in rows], np.int64))

    def split(self, seed: int) -> tuple["Reviews", "Reviews"]:
        order = list(range(len(self.texts)))
        random.Random(seed).shuffle(order)
        return self._some(order[:ROWS]), self._some(order[ROWS:])

    def _some(self, rows: list[int]) -> "Reviews":
        return Reviews([self.texts[row] for row in rows], self.positive[rows])


def area(judge: str, base: Path, path: Path, seed: int) -> float:
    """The area under the ROC curve of one of `JUDGES`, on the split of a seed."""
    learn, rest = Reviews.read(path).split(seed)
    return float(roc_auc_score(rest.positive, JUDGES[judge](base, learn, rest, seed)))


def _starter(base: Path, learn: Reviews, rest: Reviews, seed: int) -> NDArray[np.float64]:
    with TemporaryDirectory() as folder:
        return _tuned(base, learn, rest, seed, Path(folder))


def _random_weights(base: Path, learn: Reviews, rest: Reviews, seed: int) -> NDArray[np.float64]:
    with TemporaryDirectory() as folder:
        return _tuned(_random(base, Path(folder) / "base", seed), learn, rest, seed, Path(folder))


def _words(_: Path, learn: Reviews, rest: Reviews, __: int) -> NDArray[np.float64]:
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10.0, max_iter=1000))
    return model.fit(learn.texts, learn.positive).decision_function(rest.texts)


def _majority(_: Path, __: Reviews, rest: Reviews, ___: int) -> NDArray[np.float64]:
    return np.zeros(len(rest.texts))


JUDGES = {
    "tuned starter": _starter,
    "tuned random weights": _random_weights,
    "TF-IDF + logistic regression": _words,
    "majority": _majority,
}


def _random(base: Path, out: Path, seed: int) -> Path:
    """The same architecture and tokenizer, never trained."""
    out.mkdir()
    for name in ("tokenizer.json", "chat_template.jinja"):
        write_bytes(out / name, (base / name).read_bytes())
    torch.manual_seed(seed)
    export(Llama(Shape()), Shape(), 0, out)
    return out


def _chat(text: str, answer: int) -> Chat:
    return [
        {"role": "system", "content": TOPIC},
        {"role": "user", "content": text},
        {"role": "assistant", "content": ANSWERS[answer]},
    ]


def _tuned(
    base: Path, learn: Reviews, rest: Reviews, seed: int, folder: Path
) -> NDArray[np.float64]:
    """How much more likely `positive` is than `negative`, for each text of `rest`."""
    chats = [_chat(text, good) for text, good in zip(learn.texts, learn.positive, strict=True)]
    scorer = Scorer(tune(base, chats, folder, seed=seed, **HYPERPARAMETERS))
    margins = []
    for text in rest.texts:
        no, yes = (sum(scorer.logprobs(scorer.row(_chat(text, good)))) for good in (0, 1))
        margins.append(yes - no)
    return np.array(margins)
