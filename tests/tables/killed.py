"""A table embedded by processes that are killed: ``python killed.py FOLDER SEED TRIALS ENDING...``.

Each trial runs in children forked from this process, which has imported everything and started
nothing. It kills one with SIGKILL at a random moment, lets the next go on, and prints a JSON line.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import orjson

from tunewright import Tunewright
from tunewright.embedding.distinct import Distinct
from tunewright.resources import embedding_tables
from tunewright.tables import writers

BATCH = 64
GIVEN: dict[str, Any] = {"column": "title,text"}


def write_table(path: Path, rows: int) -> None:
    """With repeated, empty and unreadable rows, as real tables have them."""
    chosen = random.Random(7)
    words = [
        "good",
        "bad",
        "dog",
        "cat",
        "coffee",
        "tea",
        "taste",
        "arrived",
        "broken",
        "love",
        "again",
        "price",
        "box",
    ]
    with path.open("wb") as file:
        texts: list[str] = []
        for number in range(rows):
            text = " ".join(chosen.choices(words, k=chosen.randint(1, 30)))
            if texts and chosen.random() < 0.2:
                text = chosen.choice(texts)
            elif chosen.random() < 0.03:
                text = chosen.choice(["", "  ", "บริการแย่มาก"])
            texts.append(text)
            row = {"number": number, "title": "", "text": text}
            line = b"{broken" if chosen.random() < 0.01 else orjson.dumps(row)
            file.write(line + b"\n")


def run(home: Path, table: Path, output: Path, model: str, log: Path) -> int:
    """In a child of its own; its pid."""
    if pid := os.fork():
        return pid
    try:
        note = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        plain = Distinct.embed

        def noted(self: Distinct, texts: Any) -> Any:
            os.write(note, b"%d\n" % self.kept)
            return plain(self, texts)

        Distinct.embed = noted
        with_home = Tunewright(home)
        with_home.embeddings.table(table, output, model=model, **GIVEN)
        os._exit(0)
    except BaseException as error:
        sys.stderr.write(repr(error))
        os._exit(1)


def sums(output: Path) -> dict[str, str]:
    """Of the output and what is beside it."""
    found = output.parent.glob(f"{output.stem}.*")
    return {each.suffixes[-1] + str(len(each.suffixes)): _sum(each) for each in sorted(found)}


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "a folder"


def trial(
    folder: Path, at: float, model: str, ending: str, expected: dict[str, str]
) -> dict[str, Any]:
    home, table = folder / "home", folder / "table.jsonl"
    out = folder / f"killed-{time.monotonic_ns()}" / f"out{ending}"
    out.parent.mkdir()
    log = out.parent / "log"
    child = run(home, table, out, model, log)
    time.sleep(at)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    done = len(log.read_bytes().split()) if log.exists() else 0
    left = {path.name for path in out.parent.iterdir()} - {"log"}
    code = os.waitstatus_to_exitcode(os.waitpid(run(home, table, out, model, log), 0)[1])
    batches = log.read_bytes().split() if log.exists() else []
    return {
        "at": round(at, 4),
        "killed": os.WIFSIGNALED(status),
        "batches_before": done,
        "left": sorted(left),
        "twice": len(batches) - len(set(batches)),
        "code": code,
        "equal": sums(out) == expected,
    }


def main() -> None:
    folder, seed, trials, model, *endings = Path(sys.argv[1]), *sys.argv[2:]
    embedding_tables.MANY = embedding_tables.FEW = BATCH
    writers.ROW_GROUP = 4 * 384 * 100
    chosen = random.Random(int(seed))
    rows = 1500 if model == "builtin-static" else 300
    write_table(folder / "table.jsonl", rows)
    for ending in endings:
        whole = folder / f"whole{ending}" / f"out{ending}"
        whole.parent.mkdir()
        seconds = 0.0
        for _ in range(2):  # the first also makes the home
            for path in whole.parent.iterdir():
                path.unlink()
            began = time.monotonic()
            child = run(folder / "home", folder / "table.jsonl", whole, model, folder / "log")
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            seconds = time.monotonic() - began
        for _ in range(int(trials)):
            found = trial(folder, chosen.uniform(0, seconds), model, ending, sums(whole))
            print(json.dumps({"ending": ending, "of": round(seconds, 3), **found}), flush=True)


if __name__ == "__main__":
    main()
