"""What `tunewright explore classify` finds in the food reviews, and how true its promises are.

    .venv/bin/python bench/explore/classifying.py --reviews fine_food_reviews_1k.csv [--corpus DIR]

Reviews of 4 stars and more against those of 2 and less, by builtin-mini and builtin-static: the
area under the ROC curve as the command prints it, zero-shot, the number of stars; 5 % of labels
flipped; what 200 labelled rows foretell of more, for 20 draws. --corpus: of the starter's corpus,
textbooks.jsonl.gz becomes a table of eight subjects, the first 40 words of 3,420 pages.
"""

import argparse
import csv
import gzip
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))
from machine import described

from tunewright import Tunewright
from tunewright.analysis.classes import Classes, Rule, classes_by, classes_of
from tunewright.analysis.classification import classify
from tunewright.analysis.classifiers import best_strength, fit
from tunewright.analysis.threads import one_thread

RULE = "Score >= 4 against <= 2"
TEMPLATE = "Title: {Summary}; Content: {Text}"
MODELS = "builtin-mini", "builtin-static"
SEEDS = range(6)
PAGES = 1500  # of the subjects, to flip labels of and to foretell; the command gets all
DRAWS = range(20)
LEARNED = 200
Floats = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reviews", type=Path, required=True)
    parser.add_argument("--corpus", type=Path)
    options = parser.parse_args()
    print(described())
    with tempfile.TemporaryDirectory() as folder, one_thread():
        home = Path(folder)
        for model in MODELS:
            reviews(options.reviews, model, home)
        if options.corpus:
            table = subjects(options.corpus, home / "subjects.csv")
            explored = Tunewright(home).explore.open(table, model="builtin-static")
            some = np.sort(np.random.default_rng(0).permutation(len(explored))[:PAGES])
            labels = explored.labels("of")
            classes = classes_of([labels[row] for row in some], "of")
            told("8 subjects, builtin-static", explored.vectors[some], classes)
            subjects_by_command(table, home)


def reviews(path: Path, model: str, home: Path) -> None:
    table = ["explore", "classify", str(path), "--template", TEMPLATE, "--model", model]
    found = command(home, *table, "--label", RULE)
    print(f"\n{model}: {found['labelled']} reviews, {found['folds']} folds")
    print("  area under the ROC curve", said(found["auc"]))
    print("  accuracy", said(found["accuracy"]), "majority", round(found["majority"], 3))
    found = command(home, *table, "--labels", "Score <= 2=bad,Score >= 4=good", "--label", RULE)
    judged = found["judged"]
    print("  zero-shot, good and bad: area", said(judged["auc"]), end="; ")
    print("accuracy", said(judged["accuracy"]), "majority", round(judged["majority"], 3))
    found = command(home, *table, "--number", "Score")
    print("  stars: mean error", said(found["mae"]), "by the mean", round(found["baseline_mae"], 3))
    print("  stars: variance explained", said(found["r2"]))
    explored = Tunewright(home).explore.open(path, template=TEMPLATE, model=model)
    rule = Rule.parse(RULE)
    assert rule is not None
    classes = classes_by(rule, explored.numbers("Score").tolist())
    told(model, explored.vectors, classes)


def told(name: str, vectors: Floats, classes: Classes) -> None:
    rows = np.flatnonzero(classes.of >= 0)
    vectors, of = vectors[rows], classes.of[rows]
    shares = [flipped(vectors, of, classes.names, seed) for seed in SEEDS]
    print(
        f"  {name}: 5 % flipped: precision@{round(len(of) / 20)} {np.mean(shares):.3f}, "
        f"{min(shares):.3f} to {max(shares):.3f} over {len(SEEDS)} seeds"
    )
    foretold(name, vectors, of, classes.names)


def flipped(vectors: Floats, of: NDArray[np.int64], names: tuple[str, ...], seed: int) -> float:
    """Of as many suspects as labels were made wrong, the share that is."""
    random = np.random.default_rng(seed)
    count = round(len(of) / 20)
    wrong = random.choice(len(of), count, replace=False)
    given = of.copy()
    given[wrong] = (given[wrong] + random.integers(1, len(names), count)) % len(names)
    found = classify(vectors, Classes(names, given)).suspects[:count]
    return len({one.row for one in found} & set(wrong.tolist())) / count


def foretold(name: str, vectors: Floats, of: NDArray[np.int64], names: tuple[str, ...]) -> None:
    """The forecast of `LEARNED` rows for four times as many, against what that many really give."""
    most = LEARNED * 4 * 4 // 5  # of which a fold learns from four fifths
    truth = np.mean([tried(vectors, of, len(names), most, seed) for seed in DRAWS[:10]])
    forecasts = [drawn(vectors, of, names, seed) for seed in DRAWS]
    known = [one for one in forecasts if one is not None and one.score is not None]
    held = sum(one.score.low <= truth <= one.score.high for one in known)
    print(
        f"  {name}: {LEARNED} rows foretell what {most} learned rows give ({truth:.3f}): "
        f"{len(known)} of {len(DRAWS)} dare to; the truth lies in {held}; mean length "
        f"{np.mean([one.score.high - one.score.low for one in known]):.3f}; off by "
        f"{np.mean([abs(one.score.value - truth) for one in known]):.3f}"
    )


def drawn(vectors: Floats, of: NDArray[np.int64], names: tuple[str, ...], seed: int) -> Any:
    some = np.random.default_rng(seed).permutation(len(of))[:LEARNED]
    return classify(vectors[some], Classes(names, of[some]), seed=seed).forecast


def tried(vectors: Floats, of: NDArray[np.int64], classes: int, most: int, seed: int) -> float:
    order = np.random.default_rng(1000 + seed).permutation(len(of))
    learn, test = order[:most], order[most:]
    method = "logistic regression"
    strength = best_strength(method, vectors[learn], of[learn], np.arange(most), classes)
    model = fit(method, vectors[learn], of[learn], classes, strength)
    return float((model.scores(vectors[test]).argmax(axis=1) == of[test]).mean())


def subjects(corpus: Path, table: Path) -> Path:
    with gzip.open(corpus / "textbooks.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    with table.open("w", newline="", encoding="utf-8") as out:
        write = csv.writer(out).writerow
        write(["text", "of"])
        for row in rows:
            write([" ".join(row["text"].split()[:40]), row["source"].partition("osbooks-")[2]])
    return table


def subjects_by_command(table: Path, home: Path) -> None:
    began = time.perf_counter()
    found = command(home, "explore", "classify", str(table), "--model", MODELS[1], "--label", "of")
    print(f"  8 subjects, {found['labelled']} pages, {time.perf_counter() - began:.0f} s: accuracy")
    print("   ", said(found["accuracy"]), "majority", round(found["majority"], 3))
    print("    macro F1", said(found["macro_f1"]))


def command(home: Path, *words: str) -> dict[str, Any]:
    line = [sys.executable, "-m", "tunewright", *words, "--home", str(home), "--json"]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def said(interval: dict[str, float]) -> str:
    return f"{interval['value']:.3f} ({interval['low']:.3f} to {interval['high']:.3f})"


if __name__ == "__main__":
    main()
