"""What a call of ours costs over one of the bare client, in CPU time of this process."""

import gc
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from bare import BARE
from vector_databases import SLOW

from tunewright.vectors import open_index
from tunewright.vectors.filters import parse

ROWS, DIMENSIONS, BATCH = 2000, 384, 100
LANGUAGES = ("de", "en", "fr", "tr")


def measured(engine: str, rounds: int) -> dict[str, tuple[float, float]]:
    """What -> (bare, ours): medians, in ms. The two take turns, and who is first, too."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "index").mkdir()
        with SLOW[engine](Path(folder) / "index") as url:
            return _both(engine, url, rounds)


def _both(engine: str, url: str, rounds: int) -> dict[str, tuple[float, float]]:
    rows = _vectors(ROWS)
    ids = [f"row-{at}" for at in range(ROWS)]
    said = [{"lang": LANGUAGES[at % 4], "year": 2000 + at % 25, "done": at % 2 == 0}
            for at in range(ROWS)]  # fmt: skip
    bare, ours = BARE[engine](url), open_index(url)
    bare.create(DIMENSIONS)
    ours.create("rows", DIMENSIONS)
    plain = [{**each, "done": int(each["done"])} for each in said] if engine == "redis" else said
    where = [parse({"type": "eq", "key": "lang", "value": lang}) for lang in LANGUAGES]

    def write(at: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
        some = slice(at * BATCH % ROWS, at * BATCH % ROWS + BATCH)
        return (
            lambda: bare.upsert(ids[some], rows[some], plain[some]),
            lambda: ours.upsert("rows", ids[some], rows[some], said[some]),
        )

    def search(count: int, filtered: bool) -> Callable[[int], Any]:
        asked = _vectors(count * rounds, seed=1).reshape(rounds, count, DIMENSIONS)

        def calls(at: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
            lang, tree = (LANGUAGES[at % 4], where[at % 4]) if filtered else (None, None)
            return (
                lambda: bare.search(asked[at], lang),
                lambda: ours.search("rows", asked[at], 10, tree),
            )

        return calls

    for at in range(ROWS // BATCH):
        for call in write(at):
            call()
    found = {
        "a search": _turns(search(1, False), rounds),
        "a search with a filter": _turns(search(1, True), rounds),
        "100 searches at once": _turns(search(BATCH, False), max(5, rounds // 20)),
        "an upsert of 100": _turns(write, max(5, rounds // 10)),
    }
    ours.close()
    return found


def _turns(calls: Callable[[int], Any], rounds: int) -> tuple[float, float]:
    spent: tuple[list[float], list[float]] = [], []
    gc.collect()
    for at in range(rounds):
        both = calls(at)
        for which in (0, 1) if at % 2 else (1, 0):
            began = time.process_time()
            both[which]()
            spent[which].append(time.process_time() - began)
    return median(spent[0]) * 1000, median(spent[1]) * 1000


def _vectors(count: int, seed: int = 0) -> Any:
    made = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)
