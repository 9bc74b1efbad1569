"""Judge embedders against their teacher, all-MiniLM-L6-v2. Needs the extra `bench`.

    python -m starter.embedders --reviews FILE --write

* Spearman of the cosines of all pairs of 1,000 held-out passages with the teacher's;
* on 1,000 food reviews, which nothing was trained on: the share of the teacher's ten nearest
  reviews that are among the embedder's ten, and the area under the ROC curve of a logistic
  regression (Score >= 4 against <= 2, five folds);
* speed, one thread, seconds of processor time: a transformer's tokens beside those of the teacher's
  weights, put into the same graph in float32; a static one's texts beside sentence-transformers.

Prefixes are judged as `dimensions` gives them. `--write` puts the table into the model's card.
"""

import argparse
import csv
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from starter.mini import LONGEST, SENTENCES
from starter.mini_export import CARD, OUT, arrays, model, write
from starter.passages import passages
from starter.student import Student
from starter.teacher import Floats, Teacher, add_sources, check_sources, embedded, spearman

from tunewright import durable
from tunewright.embedding import open_embedder
from tunewright.embedding.embedder import Embedder
from tunewright.embedding.transformer import TransformerEmbedder
from tunewright.embedding.vectors import shortened

MARKS = ("<!-- figures: python -m starter.embedders --write -->\n", "<!-- end of figures -->")
CACHE = Path(".bench/embedders")
PASSAGES = 1000
READS = 256  # tokens of a review that the teacher reads
ROUNDS = 3
Embed = Callable[[list[str]], Any]


@dataclass(frozen=True)
class Reviews:
    texts: list[str]
    scores: list[int]

    @classmethod
    def read(cls, path: Path) -> "Reviews":
        with path.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        texts = [f"Title: {row['Summary'].strip()}; Content: {row['Text'].strip()}" for row in rows]
        return cls(texts, [int(row["Score"]) for row in rows])


def as_shipped(teacher: Teacher, folder: Path) -> Embedder:
    """The teacher in the engine of `builtin-mini`: all sublayers, float32, nothing turned."""
    depth = teacher.model.config.num_hidden_layers
    names = [f"{part}{layer}" for layer in range(depth) for part in "af"]
    whole = Student.whole(teacher.model, names, torch.eye(teacher.model.config.hidden_size))
    tokenizer = json.loads(teacher.tokenizer.to_str())
    made = model(arrays(whole.state_dict()), names, exact=True)
    write(folder / "teacher", made, tokenizer | {"truncation": None, "post_processor": None}, {})
    return TransformerEmbedder(folder / "teacher", threads=1)


def nearest(rows: Floats, number: int = 10) -> Floats:
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -2)
    return np.argsort(-cosines, axis=1)[:, :number]


def overlap(one: Floats, other: Floats) -> float:
    pairs = zip(nearest(one), nearest(other), strict=True)
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in pairs]))


def area(rows: Floats, scores: list[int]) -> float:
    told = [place for place, score in enumerate(scores) if score != 3]
    positive = [scores[place] >= 4 for place in told]
    judge = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return float(cross_val_score(judge, rows[told], positive, cv=folds, scoring="roc_auc").mean())


def speed(embeds: dict[str, Embed], texts: list[str]) -> dict[str, float]:
    """Seconds of processor time; the median of rounds in which each has its turn."""
    found: dict[str, list[float]] = {name: [] for name in embeds}
    for _ in range(ROUNDS):
        for name, embed in embeds.items():
            began = time.process_time()
            embed(texts)
            found[name].append(time.process_time() - began)
    return {name: sorted(values)[ROUNDS // 2] for name, values in found.items()}


def table(args: argparse.Namespace, teacher: Teacher, embedder: Embedder) -> Iterator[str]:
    held = passages(args.corpus, 4000, 1, SENTENCES, LONGEST, heldout=True)[:PASSAGES]
    reviews = Reviews.read(args.reviews)
    wanted = embedded(teacher, held, CACHE, "held-out passages")
    theirs = embedded(teacher, reviews.texts, CACHE, "reviews")
    mine, ours = embedder.embed(held).vectors, embedder.embed(reviews.texts).vectors
    yield "| dimensions | Spearman, held out | same ten of the reviews | area under the curve |"
    yield "|---|---:|---:|---:|"
    yield f"| the teacher, {theirs.shape[1]} | 1 | 1 | {area(theirs, reviews.scores):.3f} |"
    for size in sorted({*args.dimensions, embedder.dimensions}, reverse=True):
        if size <= embedder.dimensions:
            close = spearman(shortened(mine, size), wanted)
            rows = shortened(ours, size)
            same = overlap(rows, theirs)
            yield f"| {size} | {close:.3f} | {same:.3f} | {area(rows, reviews.scores):.3f} |"


def speeds(args: argparse.Namespace, teacher: Teacher, embedder: Embedder) -> Iterator[str]:
    texts = Reviews.read(args.reviews).texts
    if isinstance(embedder, TransformerEmbedder):
        return tokens_a_second(TransformerEmbedder(args.model, threads=1), teacher, texts[:100])
    return texts_a_second(embedder, args.teacher, texts)


def tokens_a_second(embedder: Embedder, teacher: Teacher, texts: list[str]) -> Iterator[str]:
    with TemporaryDirectory() as folder:
        same = as_shipped(teacher, Path(folder))
        apart = np.abs(same.embed(texts[:20]).vectors - teacher.embed(texts[:20])).max()
        if apart > 1e-4:
            raise SystemExit(f"The teacher in the engine differs from itself by {apart}.")
        tokens = sum(same.embed(texts).tokens)
        found = speed({"teacher": same.embed, "mine": embedder.embed}, texts)
    mine, theirs = tokens / found["mine"], tokens / found["teacher"]
    yield f"\nTokens a second of processor time, one thread: {mine:,.0f}; the teacher's"
    yield f"weights in the same engine, float32: {theirs:,.0f}. Ratio {mine / theirs:.2f}."


def texts_a_second(embedder: Embedder, teacher: Path, texts: list[str]) -> Iterator[str]:
    from sentence_transformers import SentenceTransformer

    rival = SentenceTransformer(str(teacher), device="cpu")
    found = speed({"rival": rival.encode, "mine": embedder.embed}, texts)
    mine, theirs = len(texts) / found["mine"], len(texts) / found["rival"]
    yield f"\nReviews a second of processor time, one thread: {mine:,.0f}; sentence-transformers"
    said = version("sentence-transformers")
    yield f"{said} with the teacher: {theirs:,.0f}. Ratio {mine / theirs:.0f}."


def into_card(directory: Path, lines: list[str]) -> None:
    card = directory / CARD
    head, rest = card.read_text("utf-8").split(MARKS[0])
    text = head + MARKS[0] + "\n".join(lines) + "\n" + MARKS[1] + rest.split(MARKS[1])[1]
    durable.write_bytes(card, text.encode())
    durable.write_manifest(directory, durable.manifest(directory)["about"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, default=OUT, help="an embedder's directory")
    add_sources(parser)
    parser.add_argument("--reviews", type=Path, required=True, help="fine_food_reviews_1k.csv")
    parser.add_argument("--dimensions", type=int, nargs="*", default=[64, 128, 256])
    parser.add_argument("--write", action="store_true", help="into the model's card")
    args = parser.parse_args()
    check_sources(args)
    torch.set_num_threads(1)
    teacher, embedder = Teacher(args.teacher, READS), open_embedder(args.model)
    lines = []
    for part in (table, speeds):
        for line in part(args, teacher, embedder):
            print(line, flush=True)
            lines.append(line)
    if args.write:
        into_card(args.model, lines)


if __name__ == "__main__":
    main()
