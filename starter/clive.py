"""Clive: how far the sample of chats brings the starter towards his manner.

The twenty questions and their reference answers were fixed before any weights that they judge.
"""

from pathlib import Path

import numpy as np
import orjson
from starter.tuning import Chat, Scorer, tune

from tunewright import samples

QUESTIONS = Path(__file__).with_name("questions.jsonl")
HYPERPARAMETERS = {"n_epochs": 8, "batch_size": 4, "learning_rate_multiplier": 3.0, "seed": 0}


def references() -> list[Chat]:
    """Each question with its reference answer, in the sample's form."""
    head = orjson.loads(samples.CHATS.read_bytes().splitlines()[0])["messages"][0]
    rows = [orjson.loads(line) for line in QUESTIONS.read_bytes().splitlines()]
    return [
        [
            head,
            {"role": "user", "content": row["question"]},
            {"role": "assistant", "content": row["reference"]},
        ]
        for row in rows
    ]


def tuned_on_sample(base: Path, folder: Path) -> Path:
    lines = samples.CHATS.read_bytes().splitlines()
    return tune(base, [orjson.loads(line)["messages"] for line in lines], folder, **HYPERPARAMETERS)


def perplexity(model: Path) -> float:
    """Of the reference answers, a token's weight being the same in all of them."""
    scorer = Scorer(model)
    logprobs = [p for chat in references() for p in scorer.logprobs(scorer.row(chat))]
    return float(np.exp(-np.mean(logprobs)))
