"""A collection of all kinds of ids and attributes, to be copied, and how two are compared."""

from typing import Any

import numpy as np

from servers import REPOSITORY
from tunewright.vectors import open_index
from tunewright.vectors.index import Metric

KILLED = REPOSITORY / "tests" / "vectors" / "killed_copies.py"
ODD = ["é", "a b", "#", "x" * 512, "0", "\U0001f600", 'q"\\', "\0", "~", "ä" * 20]


def filled(place: Any, name: str = "old", rows: int = 100, metric: Metric = "dot") -> None:
    index = open_index(place)
    index.create(name, 8, metric)
    rng = np.random.default_rng(rows)
    vectors = rng.normal(size=(rows, 8)).astype(np.float32)
    vectors[0, :4] = -0.0
    ids = [*ODD, *(f"id-{n}" for n in range(rows - len(ODD)))]
    index.upsert(name, ids, vectors, [attributes(n) for n in range(rows)])
    index.close()


def attributes(n: int) -> dict[str, Any]:
    """All types; a key of two types; keys of which some are called as a file's own columns are."""
    found: dict[str, Any] = {"n": n, "half": n / 2, "even": n % 2 == 0, "text": f"t{n}\0é"}
    found["mixed"] = [1.0, "1", True][n % 3]
    if n % 4:
        found |= {"id": "of the user", "embedding": n, "attributes": "x", "a.b": False, "": "empty"}
    return found if n % 7 else {}


def rows_of(place: Any, name: str) -> dict[str, tuple[list[float], dict[str, Any]]]:
    index = open_index(place)
    rows = index.read(name, limit=100_000)
    index.close()
    return {
        id: (vector.tolist(), {key: (type(value), value) for key, value in said.items()})
        for id, vector, said in zip(rows.ids, rows.vectors, rows.attributes, strict=True)
    }
