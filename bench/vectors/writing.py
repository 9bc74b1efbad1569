"""The rows of writing: inserts that are acknowledged, and what is there after kill -9."""

import re
import shutil
import statistics
import sys
import time
from pathlib import Path

from built import Built
from contender import Contender, LeftOut
from truth import Truth

SIZE, BATCHES = 100, 30  # rows of a batch; batches of an engine in a round
KILLED_AFTER = 1.0  # seconds of writing
TRACED = 10  # batches
SYNC = re.compile(r"sync\w*\(")
STRACE = "strace -f -qq -e trace=fsync,fdatasync,msync,sync_file_range,syncfs -o"


def insert(engines: list[str], cache: Path, count: int, place: Path, rounds: int) -> None:
    """Each round adds to what the round before left."""
    writers: dict[str, Contender] = {}
    rates: dict[str, list[float]] = {}
    for name in engines:
        if writer := _tried(name, _started, name, cache, count, place):
            writers[name] = writer
    for turn in range(rounds):
        first = (2 + turn * BATCHES) * SIZE
        for name, writer in [*writers.items()]:
            asked = {"first": first, "batches": BATCHES, "size": SIZE}
            if found := _tried(name, writer.ask, "insert", 60, **asked):
                rates.setdefault(name, []).append(BATCHES * SIZE / found["wall"])
            else:
                writers.pop(name)
    for writer in writers.values():
        writer.close()
    print(f"\n| engine | rows/s, batches of {SIZE} | range | waits for the disk, a batch |")
    print("|---|---|---|---|")
    for name, found in rates.items():
        waits = _tried(name, _waits, name, cache, count, place)
        print(
            f"| {name} | {statistics.median(found):.0f} "
            f"| {min(found):.0f} to {max(found):.0f} | {waits} |"
        )


def _tried(name: str, step, *given, **more):
    try:
        return step(*given, **more)
    except LeftOut as why:
        print(f"{name} is left out of insert: {why}", file=sys.stderr)
        return None


def _started(
    name: str, cache: Path, count: int, place: Path, under: tuple[str, ...] = ()
) -> Contender:
    folder = place / f"{name}-{len(under)}-inserted"
    folder.mkdir()
    writer = Contender(name, cache, count, place / f"{name}.log", under)
    writer.ask("start", folder=folder)
    writer.ask("insert", first=0, batches=2, size=SIZE)
    return writer


def _waits(name: str, cache: Path, count: int, place: Path) -> str:
    """fsync and its like, of batches that are acknowledged; counted in a run of its own."""
    if shutil.which("strace") is None:
        return "no strace here"
    trace = place / f"{name}.strace"
    writer = _started(name, cache, count, place, (*STRACE.split(), str(trace)))
    before = len(SYNC.findall(trace.read_text()))
    writer.ask("insert", 120, first=2 * SIZE, batches=TRACED, size=SIZE)
    waits = len(SYNC.findall(trace.read_text())) - before
    writer.close()
    return f"{waits / TRACED:.1f}"


def crash(made: list[Built], cache: Path, count: int, place: Path, truth: Truth) -> None:
    print("\n| engine | process to first answer, s | of it opening and searching | its recall |")
    print("|---|---|---|---|")
    for each in made:
        try:
            print(f"| {each.name} | {' | '.join(_crashed(each, cache, count, place, truth))} |")
        except (LeftOut, ValueError) as why:
            print(f"| {each.name} | {why} | | |")


def _crashed(made: Built, cache: Path, count: int, place: Path, truth: Truth) -> list[str]:
    """In a copy; what is written is near to no query, so the answer is known."""
    folder = place / f"{made.name}-crashed"
    shutil.copytree(made.folder, folder)
    writer = Contender(made.name, cache, count, place / f"{made.name}.log")
    writer.ask("open", 120, folder=folder)
    writer.tell("insert", first=count, batches=1_000, size=SIZE)
    time.sleep(KILLED_AFTER)
    writer.kill()
    width = (made.widths.get("none") or [writer.traits["widths"][-1]])[0]
    started = time.perf_counter()
    reader = Contender(made.name, cache, count, place / f"{made.name}.log")
    opened = reader.ask("open", 240, folder=folder)["wall"]
    found = reader.ask("search", 240, width=width, where=None, first=0, count=1, seconds=240)
    took = time.perf_counter() - started
    reader.close()
    shutil.rmtree(folder)
    recall = truth.recall(None, 0, found["ids"])
    return [f"{took:.1f}", f"{opened + found['wall']:.1f}", f"{recall:.2f}"]
