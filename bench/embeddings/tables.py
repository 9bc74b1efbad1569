"""A table of a million rows through `tw.embeddings.table`, beside a plain loop over the library.

    python bench/embeddings/tables.py [--rows 1000000] [--ending .npy] [--model builtin-static]

The loop reads the same CSV file and asks `tw.embeddings.create`'s own function for 256 texts at a
time; it writes nothing and keeps nothing. The table is read, computed, made safe on disk batch by
batch, and written. Both run in processes of their own, the loop before and after the table, on a
tenth of its rows each; texts a second and texts a CPU second are compared. Memory: the resident
set at each report, of the table's process.
"""

import argparse
import csv
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
from machine import described

from tunewright import Tunewright, samples
from tunewright.records.embeddings import EmbeddingRequest

_LOOP = 256  # texts


def write_table(path: Path, rows: int) -> None:
    """Texts of 4 to 20 words of the shipped reviews; one in twenty is one of the last thousand."""
    with samples.REVIEWS.open(newline="", encoding="utf-8") as file:
        words = " ".join(row["text"] for row in csv.DictReader(file)).split()
    chosen = random.Random(5)
    last: list[str] = []
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["id", "text"])
        for number in range(rows):
            if last and chosen.random() < 0.05:
                text = chosen.choice(last)
            else:
                at = chosen.randrange(len(words) - 20)
                text = " ".join([*words[at : at + chosen.randint(4, 18)], f"{number:07}"])
                last = [*last[-999:], text]
            table.writerow([number, text])


def rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def loop(tw: Tunewright, table: Path, model: str, rows: int) -> dict[str, Any]:
    done = 0
    with table.open(newline="", encoding="utf-8") as file:
        texts = (row["text"] for row in itertools.islice(csv.DictReader(file), rows))
        while batch := list(itertools.islice(texts, _LOOP)):
            tw.embeddings.embed(EmbeddingRequest(model=model, input=batch), unknown_text="allow")
            done += len(batch)
    return {"texts": done}


def whole(tw: Tunewright, table: Path, model: str, output: Path) -> dict[str, Any]:
    seen: list[tuple[int, int]] = []
    done = tw.embeddings.table(
        table, output, model=model, say=lambda now: seen.append((now.rows, rss()))
    )
    return {"texts": done.embedded, "computed": done.computed, "rss": seen}


def child(given: argparse.Namespace) -> None:
    tw = Tunewright(given.home)
    tw.embeddings.embed(EmbeddingRequest(model=given.model, input=["warm"]))
    began, cpu = time.perf_counter(), time.process_time()
    found = (
        loop(tw, given.table, given.model, given.rows // 10)
        if given.child == "loop"
        else whole(tw, given.table, given.model, given.output)
    )
    found |= {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    tw.close()
    print(json.dumps(found))


def run(what: str, given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    arguments = ["--child", what, "--rows", str(given.rows), "--model", given.model]
    paths = ["--home", folder / "home", "--table", folder / "table.csv"]
    output = folder / f"out{given.ending}"
    done = subprocess.run(
        [sys.executable, __file__, *arguments, *map(str, paths), "--output", str(output)],
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--ending", default=".npy")
    parser.add_argument("--model", default="builtin-static")
    for path in ("--home", "--table", "--output"):
        parser.add_argument(path, type=Path)
    parser.add_argument("--child")
    given = parser.parse_args()
    if given.child:
        return child(given)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "table.csv", given.rows)
        Tunewright(folder / "home").close()
        first, table, second = (run(what, given, folder) for what in ("loop", "table", "loop"))
    loops = {
        what: (first["texts"] + second["texts"]) / (first[what] + second[what])
        for what in ("seconds", "cpu")
    }
    for what, unit in (("seconds", "s"), ("cpu", "CPU-s")):
        own = table["texts"] / table[what]
        print(
            f"{given.rows:,} rows, {given.ending}: {own:,.0f} texts/{unit}; the loop "
            f"{loops[what]:,.0f}; {own / loops[what]:.2f} times"
        )
    # The largest of each tenth of the rows, from the second on, when everything is loaded.
    peaks: dict[int, int] = {}
    for rows, size in table["rss"]:
        tenth = min(9, rows * 10 // given.rows)
        peaks[tenth] = max(size, peaks.get(tenth, 0))
    sizes = [size / 2**20 for tenth, size in sorted(peaks.items()) if tenth]
    middle = sorted(sizes)[len(sizes) // 2]
    print(
        f"RSS, peak of each tenth from the second on: {min(sizes):,.0f} to {max(sizes):,.0f} MiB "
        f"({min(sizes) / middle - 1:+.1%} to {max(sizes) / middle - 1:+.1%} of their median)"
    )
    print(f"{table['texts'] - table['computed']:,} equal texts were not computed again")
    return print(described())


if __name__ == "__main__":
    main()
