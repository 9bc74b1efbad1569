"""Vector indexes side by side: ours against the engines that run in a Python process.

    make .sdk/vectors/.installed .sdk/chroma/.installed
    .venv/bin/python bench/vectors/data.py --texts DIR --cache DIR [--made]    (once: minutes)
    .venv/bin/python bench/vectors --cache DIR [--count 100000] [--quick]
        [--engines ours,chromadb,...] [--rows search,batch,insert,crash] [--rounds 3]
        [--limit 240] [--again]

data.py says what the vectors and the filters are. Each engine has a process of its own, and one
core (the same for all, `sched_setaffinity`) when it answers; they take turns in each round, and
medians are printed. What rivals have built is kept in the cache and used again (--again: built
anew); ours is built each time. An engine that takes longer than --limit seconds for one step is
left out of what needs it, and the table says so.

search: 300 queries, ten nearest, one a call, without a filter, with one that 10 % of the rows match
and with one of 1 %; each query has another value than the one before. Rivals have the first width
(ef or its like) that reaches a recall@10 of 0.99, found before the rounds, for each of the three;
where none does, the widest, and its recall is in the table. Recall counts rows as near as the
exact tenth. Queries a second by the clock; in brackets, of the processor's time.
Ours makes its accelerator beside the searches: it is waited for before the rounds, and said.
Memory: resident after the searches in a process that did not build; of these, without the pages of
files, which the system drops when it needs room. Reading the queries is part of it, rows are not.
batch: 100 queries in one call against the same in 100 calls; the ratio in brackets is that of the
processor's time.
insert: rows a second, batches of 100, each acknowledged before the next; RESULTS.md says who waits
for the disk.
crash: a process that writes batches of 100 to what was built is killed (-9); then the time from
starting a process to its first answer, the interpreter and imports included, and of it the engine's
opening and first search; the answer is compared with the exact one.
"""

import argparse
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")
HERE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(HERE / "bench")]
import searching  # noqa: E402
import writing  # noqa: E402
from built import Built, built  # noqa: E402
from machine import described  # noqa: E402
from truth import Truth  # noqa: E402

ENGINES = (
    "ours,ours_without_faiss,ours_exact,chromadb,lancedb,zvec,milvus_lite,qdrant_edge,"
    "faiss_hnsw,faiss_int8,faiss_flat,hnswlib"
)
KEEP = ("ours", "chromadb", "lancedb", "zvec", "milvus_lite", "qdrant_edge")


def main() -> None:
    asked = _options()
    engines, rows = asked.engines.split(","), asked.rows.split(",")
    began = time.monotonic()
    truth = Truth(asked.cache, asked.count)
    with tempfile.TemporaryDirectory(dir=asked.cache) as folder:
        place = Path(folder)
        given = asked.cache, asked.count, place
        if {"search", "batch", "crash"} & {*rows}:
            tried = [built(name, *given, asked.limit, asked.again) for name in engines]
            made = [each for each in tried if each]
            if {"search", "batch"} & {*rows}:
                _search(made, asked, place, truth, rows)
            if "crash" in rows:
                writing.crash([each for each in made if each.name in KEEP], *given, truth)
        if "insert" in rows:
            keep = [each for each in KEEP if each in engines]
            keep += ["lancedb_synced"] if "lancedb" in keep else []
            writing.insert(keep, *given, asked.rounds)
    print(f"\n{asked.count} rows; {described()}; {time.monotonic() - began:.0f} s in all")


def _search(
    made: list[Built], asked: argparse.Namespace, place: Path, truth: Truth, rows: list[str]
) -> None:
    with ExitStack() as stack:
        core = min(os.sched_getaffinity(0))
        engines = [
            stack.enter_context(searching.opened(each, asked.cache, asked.count, place, core))
            for each in made
        ]
        searching.measure(engines, truth, asked.rounds, rows)
        searching.report(engines, rows)


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(description="Vector indexes, side by side.")
    options.add_argument("--cache", type=Path, required=True)
    options.add_argument("--count", type=int, default=100_000)
    options.add_argument("--quick", action="store_const", dest="count", const=10_000)
    options.add_argument("--engines", default=ENGINES)
    options.add_argument("--rows", default="search,batch,insert,crash")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--limit", type=float, default=240, help="seconds of one build")
    options.add_argument("--again", action="store_true", help="build the rivals anew")
    return options.parse_args()


if __name__ == "__main__":
    main()
