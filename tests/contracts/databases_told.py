"""What docs/databases.json has of each place: written by a run with WRITE_CONFORMANCE=1.

Every case is kept in .sdk/databases/outcomes.json, where the newest counts, so that a run may be
made in pieces. docs/databases.py makes the tables.
"""

import fcntl
import json
import os
from collections import Counter
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parents[2]
OUTCOMES = HERE / ".sdk" / "databases" / "outcomes.json"
TOLD = HERE / "docs" / "databases.json"
FILTERS = "random_filters"


class Outcomes:
    """A plugin of the process that hears of all tests, whichever ran them."""

    def __init__(self) -> None:
        self._new: dict[str, dict[str, dict[str, Any]]] = {}  # place -> case -> what became of it

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name, bracket, given = report.nodeid.rpartition("::")[2].partition("[")
        if not bracket or "test_vector_index.py" not in report.nodeid:
            return
        if report.when == "call" or report.skipped or report.failed:
            place, case = _split(given.removesuffix("]"), name)
            found = {"became": _became(report), **dict(report.user_properties)}
            self._new.setdefault(place, {})[case] = found

    def pytest_sessionfinish(self) -> None:
        if not self._new:
            return
        with OUTCOMES.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            kept = json.loads(file.read() or "{}")
            for place, cases in self._new.items():
                kept.setdefault(place, {}).update(cases)
            file.truncate(0)
            file.write(json.dumps(kept))
        told = {place: _counted(cases) for place, cases in kept.items() if not _away(place, cases)}
        TOLD.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")


def writes(config: pytest.Config) -> None:
    if os.environ.get("WRITE_CONFORMANCE") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes())


def _split(given: str, name: str) -> tuple[str, str]:
    """The longest name of a place that the case begins with, and the case without it."""
    from vector_databases import names

    place = max((one for one in names() if f"{given}-".startswith(f"{one}-")), key=len)
    return place, f"{name}[{given.removeprefix(place).removeprefix('-')}]"


def _became(report: pytest.TestReport) -> str:
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "skipped"
        return reason.removeprefix("Skipped: ")
    return report.outcome


def _away(place: str, cases: dict[str, Any]) -> bool:
    """A server of one's own that nobody has named."""
    return place.startswith("live-") and all(
        one["became"].endswith("names no server") for one in cases.values()
    )


def _counted(cases: dict[str, Any]) -> dict[str, Any]:
    became = Counter(one["became"] for one in cases.values())
    filters = [one for case, one in cases.items() if FILTERS in case and "filters" in one]
    agreed = [one for one in filters if one["became"] == "passed"]
    return {
        "version": next((one["version"] for one in cases.values() if "version" in one), ""),
        "passed": became.pop("passed", 0),
        "failed": became.pop("failed", 0),
        "skipped": dict(sorted(became.items())),
        "filters": sum(one["filters"] for one in agreed),
        "disagreements": len(filters) - len(agreed),
    }


def version_of(place: str) -> str:
    """Of what answers at a place, as it says itself; of a stub, of the client that asks it."""
    name = place.partition(":")[0].partition("+")[0]
    if name == "redis":
        return _redis(place)
    if name == "milvus" and "://" in place:
        return f"Milvus {import_module('pymilvus').MilvusClient(place[7:]).get_server_version()}"
    if name == "postgresql":
        with import_module("psycopg").connect(place) as connection:
            number = connection.execute("SHOW server_version").fetchone()[0]
            asked = "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'"
            return f"PostgreSQL {number}, pgvector {connection.execute(asked).fetchone()[0]}"
    clients = {
        "chroma": "chromadb",
        "milvus": "milvus-lite",
        "zilliz": "pymilvus",
        "qdrant": "qdrant-client",
        "qdrant-edge": "qdrant-edge-py",
        "pinecone": "pinecone",
        "typesense": "typesense",
        "weaviate": "weaviate-client",
    }
    package = clients.get(name, "tunewright")
    return f"{package} {version(package)}" if name in clients else "of this version"


def _redis(place: str) -> str:
    client = import_module("redis").Redis.from_url(place, protocol=2)
    modules = [
        {key.decode(): value for key, value in zip(one[::2], one[1::2], strict=True)}
        for one in client.execute_command("MODULE", "LIST")
    ]
    search = [one["ver"] for one in modules if one["name"] == b"search"]
    engine = ""
    for number in search:
        engine = f", RediSearch {number // 10000}.{number // 100 % 100}.{number % 100}"
    return f"Redis {client.info()['redis_version']}{engine}"
