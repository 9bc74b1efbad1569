"""Passages of the corpus for the embedders to learn from, and held-out ones to judge them by."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from starter.corpus import records

SHARES = {
    "articles": 0.24,
    "textbooks": 0.18,
    "books": 0.12,
    "dialogues": 0.18,
    "instructions": 0.12,
    "qa": 0.12,
    "stories": 0.04,
}


def texts(record: dict) -> list[str]:
    """A document's one text, or a dialogue's messages."""
    if "text" in record:
        return [record["text"]]
    return [message["content"] for message in record["messages"]]


def cut(
    text: str, rng: np.random.Generator, sentences: Sequence[int], longest: int
) -> Iterator[str]:
    """Runs of whole sentences, of 12 to `longest` characters; `sentences`: how many, by chance."""
    found = re.split(r"(?<=[.!?])[\s\n]+|\n\n+", text)
    start = 0
    while start < len(found):
        end = start + int(rng.choice(sentences))
        passage = " ".join(" ".join(found[start:end]).split())
        if 12 <= len(passage) <= longest:
            yield passage
        start = end


def passages(
    corpus: Path,
    number: int,
    seed: int,
    sentences: Sequence[int],
    longest: int = 1200,
    *,
    heldout: bool = False,
) -> list[str]:
    """About `number` distinct passages, shuffled, each source with its share."""
    rng = np.random.default_rng(seed)
    chosen: list[str] = []
    for family, share in SHARES.items():
        every = {
            passage: None
            for record in records(corpus, family, heldout=heldout)
            for text in texts(record)
            for passage in cut(text, rng, sentences, longest)
        }
        found = list(every)
        wanted = min(len(found), round(number * share))
        chosen += [found[i] for i in rng.choice(len(found), wanted, replace=False)]
    return [chosen[i] for i in rng.permutation(len(chosen))]
