"""Search: is hybrid as good as the better of words (BM25) and vectors? nDCG@10, with intervals.

Two sets. Reviews: the 40 that ship with the package, product and text, and 50 queries with graded
relevance in `review_queries.csv`; both were written before any search was scored. Passages: of the
held-out texts of a corpus (articles, books, stories, textbooks), cut at paragraphs; a query is a
sentence that was taken out of its passage (the inverse cloze task), so that no query is found by
its own words in a row, and the passage that it came from is the relevant one.

    .venv/bin/python bench/explore/search.py [--corpus DIR] [--model NAME=DIR ...]

--corpus: a directory of FAMILY.heldout.jsonl.gz. --model: another embedding model, in
sentence-transformers' files. Needs the extra `explore`.
"""

import argparse
import csv
import gzip
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from machine import described

from tunewright import Tunewright, samples
from tunewright.analysis.bm25 import WordIndex
from tunewright.analysis.search import Method, search
from tunewright.analysis.search_quality import SearchQuality, difference, search_quality

K, QUERIES = 10, 300
FAMILIES = ("articles", "books", "stories", "textbooks")
PASSAGE = 700  # characters, about
BOUNDS = (40, 200)  # characters of a sentence that is a query
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass
class Set:
    name: str
    texts: list[str]
    queries: list[str]
    relevant: list[dict[int, float]]


def reviews() -> Set:
    with (Path(samples.__file__).parent / "reviews.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    places = {row["id"]: place for place, row in enumerate(rows)}
    with Path(__file__).with_name("review_queries.csv").open(encoding="utf-8", newline="") as file:
        asked = list(csv.DictReader(file))
    labels = [[pair.split("=") for pair in row["relevant"].split()] for row in asked]
    return Set(
        "reviews",
        [f"{row['product']}\n{row['text']}" for row in rows],
        [row["query"] for row in asked],
        [{places[id]: float(gain) for id, gain in row} for row in labels],
    )


def passages(corpus: Path) -> Set:
    texts = [
        text
        for family in FAMILIES
        for passages in cut(corpus / f"{family}.heldout.jsonl.gz")
        for text in passages
    ]
    random = np.random.default_rng(0)
    queries: list[str] = []
    relevant: list[dict[int, float]] = []
    for place in random.permutation(len(texts)).tolist():
        sentences = re.split(r"(?<=[.!?])\s+", texts[place])
        fit = [one for one in sentences[1:-1] if BOUNDS[0] <= len(one) <= BOUNDS[1]]
        if fit and len(queries) < QUERIES:
            query = fit[random.integers(len(fit))]
            texts[place] = texts[place].replace(query, "", 1)
            queries.append(query)
            relevant.append({place: 1.0})
    return Set("passages", texts, queries, relevant)


def cut(path: Path) -> Iterator[list[str]]:
    """Of each text its passages: paragraphs, until they are long enough."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        records = [json.loads(line)["text"] for line in file]
    for record in records:
        passages: list[str] = []
        passage = ""
        for paragraph in record.split("\n\n"):
            passage = f"{passage}\n\n{paragraph}".strip()
            if len(passage) >= PASSAGE:
                passages.append(passage)
                passage = ""
        yield passages


def embedded(tw: Tunewright, model: str, texts: list[str]) -> np.ndarray:
    """[texts, d]"""
    parts = [
        tw.embeddings.create(model=model, input=texts[at : at + 64]).data
        for at in range(0, len(texts), 64)
    ]
    return np.array([one.embedding for part in parts for one in part], np.float32)


def measured(of: Set, rows: np.ndarray, queries: np.ndarray) -> dict[Method, SearchQuality]:
    words = WordIndex(of.texts)
    found: dict[Method, list[list[int]]] = {method: [] for method in METHODS}
    for query, text in zip(queries, of.queries, strict=True):
        for method, hits in found.items():
            best = search(rows, words, query, text, K, method=method)
            hits.append([hit.row for hit in best])
    return {method: search_quality(hits, of.relevant, K) for method, hits in found.items()}


def show(model: str, of: Set, by: dict[Method, SearchQuality]) -> None:
    better = max(("words", "vectors"), key=lambda method: by[method].ndcg.value)
    ahead = difference(by["hybrid"], by[better])
    for method, quality in by.items():
        print(
            f"| {of.name} | {model} | {method} | {quality.ndcg} | {quality.reciprocal_rank} "
            f"| {quality.recall} |"
        )
    verdict = "not below" if ahead.value >= 0 else "BELOW"
    print(f"|  |  | hybrid less {better} | {ahead}: {verdict} |  |  |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--model", metavar="NAME=DIR", action="append", default=[])
    options = parser.parse_args()
    began = time.process_time()
    sets = [reviews(), *([passages(options.corpus)] if options.corpus else [])]
    for of in sets:
        print(f"{of.name}: {len(of.texts)} rows, {len(of.queries)} queries")
    print(
        f"\n| set | model | method | nDCG@{K} | MRR@{K} | recall@{K} |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as home:
        tw = Tunewright(home)
        models = ["builtin-static", "builtin-mini"]
        for given in options.model:
            name, _, folder = given.partition("=")
            tw.add_base(name, folder)
            models.append(name)
        for model in models:
            for of in sets:
                rows, queries = embedded(tw, model, of.texts), embedded(tw, model, of.queries)
                show(model, of, measured(of, rows, queries))
    print(f"\n{time.process_time() - began:.0f} s of the processor; {described()}")


if __name__ == "__main__":
    main()
