"""Recommendations on a PLANTED set: nobody bought anything here.

Items are passages of held-out texts of a corpus, as in `search.py`. Each of 400 users reads 8 of
them: with probability 0.7 from one of two documents that he or she favours, else one by popularity,
which falls with an item's rank as 1 / rank; so neither taste nor popularity explains all. Of each
user one is taken away and looked for among 10: by the vectors of the texts, against popularity and
chance. Beside it, what a user's vector, the mean of what was read, would find: less, for it lies
between two tastes. What it shows: that the way from texts to recommendations is right, and what a
popular item is worth beside it; not how well it would do with your users.

    .venv/bin/python bench/explore/recommending.py --corpus DIR
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from machine import described
from search import FAMILIES, cut, embedded

from tunewright import Tunewright
from tunewright.analysis.hit_rates import hit_rates
from tunewright.analysis.interactions import Interactions, interactions

USERS, READ, TASTE, K = 400, 8, 0.7, 10


def documents(corpus: Path) -> tuple[list[str], np.ndarray]:
    """The passages, and of each the number of its document; documents of at least 3."""
    texts: list[str] = []
    of: list[int] = []
    number = 0
    for family in FAMILIES:
        for passages in cut(corpus / f"{family}.heldout.jsonl.gz"):
            if len(passages) >= 3:
                texts += passages
                of += [number] * len(passages)
                number += 1
    return texts, np.array(of)


def planted(of: np.ndarray, seed: int) -> Interactions:
    random = np.random.default_rng(seed)
    popular = 1 / (1 + random.permutation(len(of)))
    popular /= popular.sum()
    users: list[str | None] = []
    items: list[str | None] = []
    for user in range(USERS):
        favourites = np.flatnonzero(np.isin(of, random.choice(of.max() + 1, 2, replace=False)))
        read: set[int] = set()
        while len(read) < READ:
            taste = random.random() < TASTE and set(favourites.tolist()) - read
            chosen = random.choice(sorted(taste)) if taste else random.choice(len(of), p=popular)
            read.add(int(chosen))
        users += [f"{user}"] * READ
        items += [f"{item}" for item in sorted(read)]
    return interactions(users, items)


def by_mean(vectors: np.ndarray, read: Interactions) -> float:
    """The hit rate of the items nearest to the mean of what a user read. vectors: [items, d]."""
    random, hits = np.random.default_rng(0), 0
    for user in range(USERS):
        items = read.item[read.user == user]
        taken = int(random.choice(items))
        left = items[items != taken]
        scores = vectors @ vectors[left].mean(axis=0)
        scores[left] = -np.inf
        hits += taken in np.argsort(-scores, kind="stable")[:K]
    return hits / USERS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    options = parser.parse_args()
    began = time.process_time()
    texts, of = documents(options.corpus)
    print(f"Planted: {USERS} users, {len(texts)} items of {of.max() + 1} documents\n")
    print(f"| model | hit rate@{K} | popularity | chance | less popularity | by the mean |")
    print("|---|---|---|---|---|---|")
    read = planted(of, 0)
    passages = np.array([int(name) for name in read.items])
    rows = passages[read.item]
    with tempfile.TemporaryDirectory() as home:
        tw = Tunewright(home)
        for model in ("builtin-static", "builtin-mini"):
            vectors = embedded(tw, model, texts)
            found = hit_rates(vectors[rows], read, K)
            print(
                f"| {model} | {found.ours} | {found.popularity} | {found.chance} "
                f"| {found.over_popularity} | {by_mean(vectors[passages], read):.3f} |",
                flush=True,
            )
    noise = np.random.default_rng(0).standard_normal((len(texts), 64)).astype(np.float32)
    found = hit_rates(noise[rows], read, K)
    print(f"| noise instead of vectors | {found.ours} | {found.popularity} | {found.chance} | | |")
    print(f"\n{time.process_time() - began:.0f} s of the processor; {described()}")


if __name__ == "__main__":
    main()
