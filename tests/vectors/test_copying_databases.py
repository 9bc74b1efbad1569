"""Copies into real databases and out of them, killed between."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from copied import KILLED, filled, rows_of

from servers import REPOSITORY
from tunewright.vectors.copying import copy, ends

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "PAGE", 16 * 8)


@pytest.fixture(
    params=["chroma", "chroma_server", "milvus", "qdrant", "qdrant_edge", "postgresql", "redis"]
)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    monkeypatch.syspath_prepend(str(REPOSITORY / "tests" / "contracts"))
    import vector_databases

    folder = tmp_path / "database"
    folder.mkdir()
    opened: Any = getattr(vector_databases, request.param)
    with opened(folder) as place:
        monkeypatch.setenv(
            "DATABASE_CLIENT", str(vector_databases.CLIENTS / request.param.removesuffix("_server"))
        )
        yield place


def test_killed_on_the_way_in_and_on_the_way_out(place: str, tmp_path: Path) -> None:
    filled(tmp_path / "a", metric="cosine")
    home = str(tmp_path / "home")
    ways = [(f"{tmp_path}/a#old", f"{place}#there"), (f"{place}#there", f"{tmp_path}/b#back")]
    for source, destination in ways:
        run = [sys.executable, str(KILLED), home, source, destination, "few"]
        done = subprocess.run(run, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        *killed, last = json.loads(done.stdout)
        assert killed == [-9] * 4, done.stderr[-3000:]
        assert last == 100
    assert rows_of(tmp_path / "b", "back") == rows_of(tmp_path / "a", "old")


def test_only_rows_that_match(place: str, tmp_path: Path) -> None:
    """Also by a filter that the database cannot evaluate by itself."""
    filled(tmp_path / "a", metric="euclidean")
    home = tmp_path / "home"
    some: dict[str, Any] = {"type": "gte", "key": "n", "value": 50}
    assert copy(f"{tmp_path}/a#old", f"{place}#some", where=some, home=home).rows == 43
    texts = {"type": "lt", "key": "text", "value": "t6"}
    done = copy(f"{place}#some", f"{tmp_path}/b", where=texts, home=home)
    found = rows_of(tmp_path / "b", "some")
    assert done.rows == len(found) == 9
    whole = rows_of(tmp_path / "a", "old")
    assert found == {id: whole[id] for id in found}
