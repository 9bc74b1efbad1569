"""Other libraries' adapters as an index for `tunewright.testing.vectors`: a plugin of pytest that
is run in their own environment:

    PYTHONPATH=src:bench/connectors .sdk/connectors-langchain/bin/python -m pytest \
        -p rivals -p tunewright.testing.vectors --pyargs tunewright.testing.vectors \
        --index rival:langchain/chroma:DIR -m "not slow"

What an adapter's interface has no way to say is skipped as "cannot: ...". It is helped where that
costs nothing: errors become ours, equal distances are put in the order of ids, rows are counted by
searching for all, and where each library is told which columns it may filter by, it is told.
"""

import contextlib
import json
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tunewright.errors import BadRequest, NotFound, Unavailable
from tunewright.vectors import INDEXES
from tunewright.vectors.filters import NONE, Filter
from tunewright.vectors.index import Described, Hits, score_of

ALL = 5000
MADE: dict[str, dict[str, tuple[int, str]]] = {}  # place -> collection -> dimensions, metric


def cannot(what: str) -> Any:
    pytest.skip(f"cannot: {what}")


class Rival:
    """opened(name, dimensions, metric) -> add(ids, vectors, attributes), remove(ids), matching
    deletion or None, nearest(vector, k, where) -> (id, distance) each, drop()."""

    def __init__(self, place: str) -> None:
        library, _, rest = place.partition(":")[2].partition("/")
        self._made = MADE.setdefault(place, {})
        self._open: Callable[..., Any] = import_module(f"rival_{library}").opened
        self._place, self._stores, self._closed = rest, dict[str, Any](), False

    def _store(self, name: str) -> Any:
        if self._closed:
            raise Unavailable("closed")
        if name not in self._made:
            raise NotFound(f"no {name}")
        if name not in self._stores:
            self._stores[name] = self._ours(
                lambda: self._open(self._place, name, *self._made[name])
            )
        return self._stores[name]

    def _ours(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (pytest.skip.Exception, KeyboardInterrupt):
            raise
        except Exception as error:
            said = f"{type(error).__name__}: {error}"[:500]
            away = any(word in said.lower() for word in ("connect", "timeout", "timed out"))
            raise (Unavailable if away else BadRequest)(said) from error

    def create(self, name: str, dimensions: int, metric: str = "cosine") -> None:
        if self._made.setdefault(name, (dimensions, metric)) != (dimensions, metric):
            raise BadRequest("others")
        self._store(name)

    def drop(self, name: str) -> None:
        if name in self._made:
            with contextlib.suppress(Exception):  # names are not used again
                self._store(name).drop()
            del self._made[name]
            self._stores.pop(name, None)

    def upsert(self, name: str, ids: Sequence[str], vectors: Any, attributes: Any) -> None:
        store = self._store(name)
        if vectors is None:
            cannot("attributes alone are replaced")
        last = list({id: at for at, id in enumerate(ids)}.values())
        if ids:
            rows = np.asarray(vectors, np.float32)
            told = [ids[at] for at in last], rows[last], [attributes[at] for at in last]
            self._ours(lambda: store.add(*told))

    def delete(self, name: str, *, ids: Any = None, where: Filter | None = None) -> None:
        if (ids is None) == (where is None):
            raise BadRequest("one of both")
        store = self._store(name)
        if ids is not None:
            return self._ours(lambda: store.remove(list(dict.fromkeys(ids)))) if ids else None
        if store.remove_where is None:
            cannot("rows are deleted by a filter")
        return None if where == NONE else self._ours(lambda: store.remove_where(where))

    def search(self, name: str, queries: Any, k: int, where: Filter | None = None) -> Hits:
        store, metric = self._store(name), self._made[name][1]
        if k < 1:
            raise BadRequest("k")
        found: list[list[tuple[float, str]]] = []
        for query in np.asarray(queries, np.float32):
            rows = [] if where == NONE else self._ours(lambda q=query: store.nearest(q, k, where))
            found.append(sorted((distance, id) for id, distance in rows)[:k])
        away = np.array([[distance for distance, _ in row] for row in found], np.float32)
        away = away.reshape(len(found), -1)
        return Hits([[id for _, id in row] for row in found], score_of(away, metric), away)

    def count(self, name: str, where: Filter | None = None) -> int:
        dimensions = (self._store(name), self._made[name][0])[1]
        return len(self.search(name, np.ones((1, dimensions), np.float32), ALL, where).ids[0])

    def read(self, name: str, after: str | None = None, limit: int = 1000) -> Any:
        self._store(name)
        cannot("stored vectors are read")

    def describe(self, name: str) -> Described:
        self._store(name)
        dimensions, metric = self._made[name]
        return Described(dimensions, metric)

    def collections(self) -> list[str]:
        return cannot("collections are listed")

    def refusal(self, dimensions: int, metric: str, rows: Any = None) -> str | None:
        return cannot("what cannot be held is told beforehand")

    def close(self) -> None:
        self._closed = True


CASES: dict[str, str] = {}  # of a test what became of it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cases", help="where to write what became of each test")


def pytest_configure(config: pytest.Config) -> None:
    INDEXES.own["rival"] = "rivals:Rival"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple):
        CASES[report.nodeid] = report.longrepr[2].removeprefix("Skipped: ")
    elif report.failed and report.when != "teardown":
        crash = getattr(report.longrepr, "reprcrash", None)
        CASES[report.nodeid] = "failed: " + (crash.message if crash else str(report.longrepr))[:300]
    elif report.when == "call" and report.passed:
        CASES[report.nodeid] = "passed"


def pytest_sessionfinish(session: pytest.Session) -> None:
    if where := session.config.getoption("--cases"):
        Path(where).write_text(json.dumps(CASES))


def json_of(where: Filter) -> dict[str, Any]:
    """In OpenAI's form."""
    if hasattr(where, "parts"):
        kind = type(where).__name__.lower()
        return {"type": kind, "filters": [json_of(part) for part in where.parts]}
    many = where.op in ("in", "nin")
    return {"type": where.op, "key": where.key,
            "value": list(where.values) if many else where.values[0]}  # fmt: skip
