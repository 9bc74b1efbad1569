"""A process with one engine, asked by JSON lines; what the engines have in common.

An engine has `build`, `open`, `search`, and, where it keeps what it is given, `start` and `insert`
(`Engine`). It is given `Data`, whose rows are read from the cache's files as they are needed.
"""

import json
import os
import sys
import time
from pathlib import Path

for name in ("OMP", "OPENBLAS", "MKL", "RAYON", "LANCE_CPU", "TOKIO_WORKER"):
    os.environ.setdefault(name + ("_THREADS" if "_" in name else "_NUM_THREADS"), "1")

import numpy as np  # noqa: E402  reads the variables

K = 10


class Engine:
    """widths: what `search` is tuned by, from quick to careful. filters: whether it knows them.
    keeps: whether what `insert` was given is there after a crash. batches: whether one call of it
    answers many queries."""

    widths: tuple = (16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
    filters = keeps = batches = True

    def build(self, data: "Data", folder: Path) -> None: ...

    def open(self, data: "Data", folder: Path) -> None: ...

    def settle(self, data: "Data") -> None:
        """Wait for what it makes beside the searches."""

    def search(self, queries: np.ndarray, width, where: tuple[str, int] | None) -> list[list[int]]:
        """Rows of the ten nearest of queries [m, d], one query a call where m is 1."""
        raise NotImplementedError

    def start(self, data: "Data", folder: Path) -> None:
        """An empty collection, as for `build`, with no index where none is needed to insert."""

    def insert(self, ids: range, data: "Data") -> None:
        """Returns when the engine calls them written."""


class Data:
    """rows [n, d] unit vectors; tenth, hundredth [n]; queries [q, d]."""

    def __init__(self, cache: Path, count: int) -> None:
        from data import REAL, attributes

        file = "real.npy" if count <= REAL else "made.npy"
        self.rows = np.load(cache / file, mmap_mode="r")[:count]
        self.queries = np.load(cache / "queries.npy")
        self.tenth, self.hundredth = attributes(count)

    def parts(self, size: int):
        """range of ids, rows [size, d] in memory."""
        for start in range(0, len(self.rows), size):
            ids = range(start, min(start + size, len(self.rows)))
            yield ids, self.block(ids)

    def block(self, ids: range) -> np.ndarray:
        """Rows [size, d] in memory. Beyond the last they are those of the start turned round, which
        are near to no query: what is written while it is searched changes no answer."""
        start = ids.start % len(self.rows)
        rows = np.array(self.rows[start : start + len(ids)])
        return rows if ids.start < len(self.rows) else -rows

    def said(self, ids: range) -> list[dict[str, int]]:
        places = [id % len(self.rows) for id in ids]
        return [{"tenth": int(self.tenth[i]), "hundredth": int(self.hundredth[i])} for i in places]


def value_of(where: str | None, query: int) -> tuple[str, int] | None:
    """The filter of a query: each has another value than the one before."""
    return where and (where, query % {"tenth": 10, "hundredth": 100}[where])


def serve(engines: dict[str, type[Engine]]) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print what they like
    name, cache, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    data, engine = Data(cache, count), engines[name]()
    traits = {key: getattr(engine, key) for key in ("widths", "filters", "keeps", "batches")}
    print(json.dumps(traits), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        started, used = time.perf_counter(), time.process_time()
        try:
            found = globals()[f"_{asked.pop('do')}"](engine, data, **asked) or {}
        except Exception as error:  # the driver says it in the table
            found = {"error": f"{type(error).__name__}: {error}"[:300]}
        took = {"wall": time.perf_counter() - started, "cpu": time.process_time() - used}
        print(json.dumps(took | found), file=answers, flush=True)


def _build(engine: Engine, data: Data, folder: str) -> None:
    engine.build(data, Path(folder))


def _open(engine: Engine, data: Data, folder: str) -> None:
    engine.open(data, Path(folder))


def _pin(engine: Engine, data: Data, core: int) -> None:
    """All threads that there are; those that come later inherit it."""
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def _settle(engine: Engine, data: Data) -> None:
    engine.settle(data)


def _start(engine: Engine, data: Data, folder: str) -> None:
    engine.start(data, Path(folder))


def _insert(engine: Engine, data: Data, first: int, batches: int, size: int) -> None:
    for batch in range(batches):
        start = first + batch * size
        engine.insert(range(start, start + size), data)


def _search(
    engine: Engine,
    data: Data,
    width,
    where: str | None,
    first: int,
    count: int,
    seconds: float,
    each: int = 1,
) -> dict:
    """Queries one by one (or `each` a call), until the seconds are over."""
    found: list[list[int]] = []
    started, used = time.perf_counter(), time.process_time()
    while len(found) < count and time.perf_counter() - started < seconds:
        query = first + len(found)
        chosen = data.queries[query : query + each]
        found += engine.search(chosen, width, value_of(where, query))
    took = {"wall": time.perf_counter() - started, "cpu": time.process_time() - used}
    return took | {"ids": found}
