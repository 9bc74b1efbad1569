"""Planted anomalies and near-duplicates among 1,000 food reviews, and what is found of them.

What is planted stands in `tests/analysis/planted_among_reviews.py`.
First by model: the precision of the first 20 anomalies; near-duplicates by words and, for
`--threshold`, by cosines, with the pairs of clean rows that each would take for near-duplicates.
Then seconds and memory for large tables of made-up vectors, each in a process of its own.

    .venv/bin/python bench/explore/odd_rows.py --data fine_food_reviews_1k.csv
        [--model NAME=DIR ...] [--rows 10000 100000]

--model: another embedding model, in sentence-transformers' files. Needs the extra `explore`.
"""

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "analysis"))
from machine import described
from planted_among_reviews import ANOMALIES, OF_ONE_AUTHOR, TWICE, edited

from tunewright import Tunewright
from tunewright.analysis.anomalies import Method, anomalies
from tunewright.analysis.diversity import diversity
from tunewright.analysis.duplicates import Groups, by_texts
from tunewright.analysis.threads import one_thread
from tunewright.analysis.two_tables import comparison, coverage
from tunewright.resources.near_duplicates import near_duplicates

EDITED, MANY_EDITED = 50, 300
COSINES = (0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98)


def reviews(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row["Text"] for row in csv.DictReader(file)]


def of_model(tw: Tunewright, model: str, texts: list[str], folder: Path) -> None:
    copies = edited(texts, MANY_EDITED)
    whole = [*texts, *ANOMALIES, *(text for _, _, text in copies)]
    table = folder / f"{model}.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text"], *([text] for text in whole)])
    vectors = tw.explore.open(table, "text", model=model).vectors
    rows, odd = len(texts), len(ANOMALIES)
    clean, planted, twins = np.split(vectors, [rows, rows + odd])
    print(f"\n## {model}")
    with one_thread():
        _anomalies(np.concatenate([clean, planted]), whole[: rows + odd])
        _by_words(clean, twins, texts, copies)
        _by_cosine(clean, twins, copies)


def _anomalies(vectors: np.ndarray, texts: list[str]) -> None:
    groups = near_duplicates(texts, vectors, None, lambda _: None)
    planted, number = len(texts) - len(ANOMALIES), len(ANOMALIES)
    methods: tuple[Method, ...] = get_args(Method)
    for method in methods:
        found = anomalies(vectors, share=number / len(texts), method=method, groups=groups)
        right = sum(each.row >= planted for each in found.found[:number])
        print(f"anomalies, {method}: {right} of the first {number} are planted")


def _by_words(clean: np.ndarray, twins: np.ndarray, texts: list[str], copies: list) -> None:
    for count in (EDITED, MANY_EDITED):
        some = [*texts, *(text for _, _, text in copies[:count])]
        groups = near_duplicates(some, np.concatenate([clean, twins[:count]]), None, lambda _: None)
        kinds: dict[str, int] = {}
        for at, (place, kind, _) in enumerate(copies[:count]):
            kinds[kind] = kinds.get(kind, 0) + int(groups.of[place] == groups.of[len(texts) + at])
        print(f"near-duplicates by words: {sum(kinds.values())} of {count} pairs found, {kinds}")
    groups = near_duplicates(texts, clean, None, lambda _: None)
    false = [group for group in groups.groups if group not in TWICE]
    print(f"in the clean rows: {groups.groups}; false groups: {false}")


def _by_cosine(clean: np.ndarray, twins: np.ndarray, copies: list) -> None:
    cosines = np.einsum("ij,ij->i", twins, clean[[place for place, _, _ in copies]])
    pairs = np.triu(clean @ clean.T, 1)
    for group in TWICE:
        pairs[np.ix_(group, group)] = 0
    author = np.triu(pairs[np.ix_(OF_ONE_AUTHOR, OF_ONE_AUTHOR)], 1).ravel()
    others = pairs.copy()
    others[np.ix_(OF_ONE_AUTHOR, OF_ONE_AUTHOR)] = 0
    print(f"highest cosine of clean rows: {others.max():.3f}, of one author's: {author.max():.3f}")
    print(f"\n| cosine | of {len(copies)} edited pairs | clean pairs | of one author |")
    print("|---|---|---|---|")
    for least in COSINES:
        counts = [int((each >= least).sum()) for each in (cosines, others, author)]
        print(f"| {least:.2f} | {counts[0]} | {counts[1]} | {counts[2]} |")


def of_size(rows: int, dimensions: int = 384) -> None:
    """Made-up vectors around 300 centres, each part with the peak memory of the process so far."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(300, dimensions)).astype(np.float32)
    vectors = np.empty((rows, dimensions), np.float32)
    for start in range(0, rows, 4096):
        count = min(4096, rows - start)
        noise = random.normal(size=(count, dimensions)).astype(np.float32)
        vectors[start : start + count] = centres[random.integers(300, size=count)] + noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    every: list[Groups] = []
    keys = list(map(str, range(rows)))

    def groups() -> None:
        every.append(by_texts(vectors, keys, lambda one, other: one % 50 == other % 50))

    parts = {
        "near-duplicates": groups,
        "anomalies, after these": lambda: anomalies(vectors, groups=every[0]),
        "diversity": lambda: diversity(vectors, groups=every[0]),
        "coverage of a tenth": lambda: coverage(vectors, vectors[::10] + 0.01),
        "comparison": lambda: comparison(vectors[::2], vectors[1::2]),
    }
    print(f"| {rows:,} rows of {dimensions} | vectors alone | | {_peak()} MB |")
    for name, part in parts.items():
        began, worked = time.perf_counter(), time.process_time()
        with one_thread():
            part()
        took = f"{time.perf_counter() - began:.1f} s", f"{time.process_time() - worked:.1f} s"
        print(f"| | {name} | {took[0]} ({took[1]} of the processor) | {_peak()} MB |", flush=True)


def _peak() -> str:
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", metavar="NAME=DIR", action="append", default=[])
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return of_size(options.one)
    if options.data:
        with tempfile.TemporaryDirectory() as home:
            tw = Tunewright(home)
            models = ["builtin-static", "builtin-mini"]
            for given in options.model:
                name, _, folder = given.partition("=")
                tw.add_base(name, folder)
                models.append(name)
            for model in models:
                of_model(tw, model, reviews(options.data), Path(home))
    print("\n| rows | part | took | peak memory |\n|---|---|---|---|", flush=True)
    for rows in options.rows:
        subprocess.run([sys.executable, __file__, "--one", str(rows)], check=True)
    print(f"\n{described()}")
    return None


if __name__ == "__main__":
    main()
