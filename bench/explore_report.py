"""The whole report of a large table: seconds, CPU seconds, memory, and size of the page.

    python bench/explore_report.py [--rows 10000] [--model builtin-static]
                                   [--corpus DIR] [--threads 2]

The rows are passages of two sentences from the corpus, none twice, in a shuffled order, with a
column of where each is from, one of its length, and a made-up reader and book of each, so that
every part of the report is made. The command runs in a process of its own on a fresh home, so the
texts are embedded in the time that is measured; then once more, with the vectors that were kept.
"""

import argparse
import csv
import gzip
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

CORPUS = Path(__file__).parents[1].parent / "shared" / "data" / "corpus"
SOURCES = ("articles", "textbooks", "stories", "books", "dialogues")
_END = re.compile(r"(?<=[.!?])\s+")


def texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)


def passages(path: Path, most: int) -> Iterator[str]:
    """Two sentences each, of 40 to 400 characters."""
    seen: set[str] = set()
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            for text in texts_in(json.loads(line)):
                sentences = _END.split(" ".join(text.split()))
                for at in range(0, len(sentences) - 1, 2):
                    passage = " ".join(sentences[at : at + 2])
                    if 40 <= len(passage) <= 400 and passage not in seen:
                        seen.add(passage)
                        yield passage
                        if len(seen) == most:
                            return


def write_table(path: Path, rows: int, corpus: Path) -> None:
    drawn = random.Random(0)
    table = [
        [text, source]
        for source in SOURCES
        for text in passages(corpus / f"{source}.jsonl.gz", rows)
    ]
    drawn.shuffle(table)
    if len(table) < rows:
        raise SystemExit(f"{corpus} has {len(table)} passages only.")
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["text", "source", "characters", "reader", "book"])
        for text, source in table[:rows]:
            reader, book = drawn.randrange(rows // 20 + 1), drawn.randrange(rows // 10 + 1)
            out.writerow([text, source, len(text), f"r{reader}", f"b{book}"])


def measure(command: list[str], threads: int) -> tuple[float, float, float]:
    """Seconds, CPU seconds, and the largest resident size in MB, of the command and its
    children."""
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env={**os.environ, **limits})
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, cpu, used.ru_maxrss / 1024


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    asked.add_argument("--rows", type=int, default=10_000)
    asked.add_argument("--model", default="builtin-static")
    asked.add_argument("--corpus", type=Path, default=CORPUS)
    asked.add_argument("--threads", type=int, default=2)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table, report = Path(folder) / "table.csv", Path(folder) / "report.html"
        write_table(table, given.rows, given.corpus)
        command = [sys.executable, "-m", "tunewright", "explore", str(table)]
        columns = {"label": "source", "number": "characters", "user": "reader", "item": "book"}
        command += [word for name, column in columns.items() for word in (f"--{name}", column)]
        command += ["--model", given.model, "-o", str(report), "--home", f"{folder}/home"]
        for what in ("embedded on the way", "vectors kept from before"):
            seconds, cpu, memory = measure(command, given.threads)
            print(
                f"{given.rows:,} rows, {given.model}, {what}: {seconds:.1f} s, CPU {cpu:.1f} s, "
                f"at most {memory:,.0f} MB; report {report.stat().st_size / 1e6:.2f} MB"
            )


if __name__ == "__main__":
    main()
