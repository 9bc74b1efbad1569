"""Collections that LangChain wrote are copied, and what it found in them is found here."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from servers import REPOSITORY
from tunewright.cli.commands import app
from tunewright.errors import BadRequest
from tunewright.vectors import open_index
from tunewright.vectors.copying import copy
from tunewright.vectors.filters import parse

PYTHON = REPOSITORY / ".sdk" / "langchain" / "bin" / "python"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def databases(monkeypatch: pytest.MonkeyPatch) -> Any:
    if not (PYTHON.parents[1] / ".installed").exists():
        pytest.skip("LangChain is not there: make .sdk/langchain/.installed")
    monkeypatch.syspath_prepend(str(REPOSITORY / "tests" / "contracts"))
    import vector_databases

    return vector_databases


def written(layout: str, place: str) -> dict[str, Any]:
    run = [str(PYTHON), str(REPOSITORY / "tests" / "vectors" / "written_by_langchain.py")]
    done = subprocess.run(
        [*run, layout, place], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def the_same_is_found(source: str, told: dict[str, Any], tmp_path: Path, more: set[str]) -> None:
    done = copy(source, f"{tmp_path}/here#notes", home=tmp_path / "home", text="said")
    assert done.rows == 300
    assert done.notes == ()
    index = open_index(tmp_path / "here")
    vectors = np.array(told["vectors"], np.float32)
    for at, where in enumerate((None, parse({"type": "eq", "key": "stars", "value": 4}))):
        hits = index.search("notes", vectors, 10, where)
        for ids, found in zip(hits.ids, told["found"], strict=True):
            rows = index.fetch("notes", ids)
            said = dict(zip(rows.ids, rows.attributes, strict=True))
            assert [said[id]["said"] for id in ids] == found[at]
            assert all(said[id].keys() == {"said", "stars", "lang", "good"} | more for id in ids)
    [first] = index.fetch("notes", ["00000007-0000-4000-8000-000000000000"]).attributes
    assert first["said"] == "text 7"
    assert (first["stars"], first["lang"], first["good"]) == (2.0, "de", False)
    index.close()


def test_from_chroma(databases: Any, tmp_path: Path) -> None:
    databases.client("chroma")
    told = written("chroma", str(tmp_path / "db"))
    place = f"chroma:{tmp_path / 'db'}"
    with pytest.raises(BadRequest, match=r"It has notes\. Give"):
        copy(place, tmp_path / "x", home=tmp_path / "home")
    the_same_is_found(f"{place}#notes", told, tmp_path, set())
    listed = CliRunner().invoke(app, ["vectors", "list", "--index", place])
    assert "Made by other programs: notes. Copy one to search it here: " in listed.stderr
    index = open_index(place)
    with pytest.raises(BadRequest, match="Copy it to one of ours"):
        index.count("notes")
    index.close()


def test_from_qdrant(databases: Any, tmp_path: Path) -> None:
    databases.client("qdrant")
    told = written("qdrant", str(tmp_path / "db"))
    place = f"qdrant:{tmp_path / 'db'}"
    with pytest.raises(BadRequest, match=r"It has notes\. Give"):
        copy(place, tmp_path / "x", home=tmp_path / "home")
    the_same_is_found(f"{place}#notes", told, tmp_path, set())


def test_from_both_layouts_of_postgresql(databases: Any, tmp_path: Path) -> None:
    with databases.postgresql(tmp_path) as place:
        driver = place.replace("postgresql:", "postgresql+psycopg:")
        told = written("pgvector", driver)
        newer = written("pgvectorstore", driver)
        with pytest.raises(BadRequest, match=r"It has Notes, my notes, others\. Give"):
            copy(place, tmp_path / "x", home=tmp_path / "home")
        the_same_is_found(f"{place}#my notes", told, tmp_path / "one", set())
        the_same_is_found(f"{place}#Notes", newer, tmp_path / "two", {"written"})
