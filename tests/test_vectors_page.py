"""docs/vectors.md says of filters what the code does, and shows the picture as drawn. The example
of docs/databases.md runs."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from servers import REPOSITORY
from tunewright.vectors import filters

PAGE = (REPOSITORY / "docs" / "vectors.md").read_text("utf-8")
VALUES = ({"year": 2024}, {"year": 2024.0}, {"year": "2024"}, {"year": True}, {})
ROWS = re.findall(r'^\| `(\{"type".*?)` \| (.*) \|$', PAGE, re.MULTILINE)


@pytest.mark.parametrize(("given", "cells"), ROWS)
def test_each_filter_matches_what_its_row_says(given: str, cells: str) -> None:
    tree = filters.parse({**json.loads(given), "key": "year"})
    found = ["yes" if filters.matches(tree, value) else "no" for value in VALUES]
    assert found == cells.split(" | ")


def test_there_is_a_row_of_each_operator() -> None:
    assert len(ROWS) == 11
    assert {json.loads(given)["type"] for given, _ in ROWS} == {
        *("eq", "ne", "gt", "gte", "lt", "in", "nin")
    }


def test_the_picture_is_as_it_is_drawn() -> None:
    place = REPOSITORY / "docs" / "vectors.py"
    spec = importlib.util.spec_from_file_location("drawn", place)
    assert spec is not None
    assert spec.loader is not None
    drawn = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawn)
    assert drawn.PICTURE.read_text("utf-8") == drawn.draw(), "run docs/vectors.py"


def test_the_example_in_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    page = (REPOSITORY / "docs" / "databases.md").read_text("utf-8")
    [example] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(example, "databases.md", "exec"), {})
    found, there, copied = capsys.readouterr().out.splitlines()
    assert found.startswith("['r1', 'r3'] [0.99")
    assert found.endswith("['Lovely.', 'Fine.']")
    assert there == "['reviews'] Described(dimensions=3, metric='cosine') 2"
    assert copied.startswith("2 rows in ")
