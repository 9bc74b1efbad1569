"""`tunewright explore`: what all of its commands share."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tunewright.tables.sources import open_source

TEXTS = [
    "The kettle arrived broken, with a crack in the glass.",
    "My cat loves this food and asks for more every morning.",
    "Delivery took three weeks and nobody answered my letters.",
    "A strong coffee with a taste of chocolate.",
]
STATIC = ("--model", "builtin-static")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "my table.csv"
    rows = [["n", "Text", "stars"], *([at, text, "4.5"] for at, text in enumerate(TEXTS))]
    rows.insert(2, ["x", "", "1"])
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_table_is_searched_and_keeps_its_rows_and_columns(run: Any, table: Path) -> None:
    query = ("explore", "search", str(table), "it came in pieces, broken", "--column", "Text")
    done = run(*query, *STATIC, "--top", "2")
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["line", "2", "5"]
    assert "left out: line 3: it is empty" in done.stderr
    found = json.loads(run(*query, *STATIC, "--json", "--top", "1").stdout)
    assert (found["rows"], found["model"]) == (4, "builtin-static")
    assert found["left_out"] == [{"line": 3, "reason": "it is empty"}]
    assert [(hit["line"], hit["text"]) for hit in found["data"]] == [(2, TEXTS[0])]
    for ending in (".csv", ".jsonl", ".parquet"):
        out = table.with_name(f"out{ending}")
        run(*query, *STATIC, "-o", str(out))
        rows = [row.values or {} for row in open_source(out).rows]
        assert [row["Text"] for row in rows] == [TEXTS[0], "", *TEXTS[1:]]
        assert [str(row["rank"] or "") for row in rows[:2]] == ["1", ""]
        assert float(rows[0]["similarity"]) == found["data"][0]["similarity"]
        assert "exists already" in run(*query, "-o", str(out), code=1).stderr
    run(*query, *STATIC, "-o", str(out), "--overwrite")


def test_vectors_of_a_file_are_used_and_their_model_is_its_own(run: Any, table: Path) -> None:
    path = table.with_name("embedded.parquet")
    run("embed", "--file", str(table), "--column", "Text", *STATIC, "-o", str(path))
    query = ("explore", "search", str(path), "broken glass", "--json")
    found = json.loads(run(*query).stdout)
    assert (found["model"], found["data"][0]["line"]) == ("builtin-static", 1)
    said = run(*query, "--model", "builtin-mini", code=1).stderr
    assert "of another model than builtin-mini: they are of builtin-static" in said


def test_vectors_that_cannot_be_used_cost_their_row_only(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "vectors.jsonl"
    vectors = [[2.0, 0.0], [float("nan"), 1.0], None, "text", [0.0, 0.0], [0.0, 3.0]]
    lines = [{"text": f"row {at}", "embedding": v} for at, v in enumerate(vectors, start=1)]
    path.write_text("\n".join(map(json.dumps, lines)))
    out = tmp_path / "out.csv"
    done = run("explore", "search", str(path), "anything", "-o", str(out), code=1)
    for line, why in ((3, "empty"), (4, "not a list of numbers"), (5, "all zeros")):
        assert f"left out: line {line}: its `embedding` is {why}" in done.stderr
    assert "2 vectors were not of length 1" in done.stderr
    assert "The vectors have 2 dimensions" in done.stderr
    assert not out.exists()
    np.save(tmp_path / "m.npy", np.eye(2, dtype=np.float32) * np.nan)
    (tmp_path / "m.texts.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n')
    said = run("explore", "search", str(tmp_path / "m.npy"), "any", code=1).stderr
    assert "m.npy has no row with a vector. Line 1: its `embedding` holds NaN" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--column", "text"], "There is no column 'text'. Did you mean 'Text'?"),
        (["--template", "{Txt}"], "There is no column 'Txt'. Did you mean 'Text'?"),
        (["--sheet", "one"], "has no sheets"),
        (["--column", "Text", "-o", "nowhere/out.csv"], "There is no folder"),
        (["--column", "Text", "-o", "out.txt"], "expected a name ending in one of .csv"),
        (["--column", "Text", "--prompt-name", "query"], "has no prompt 'query'"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    run: Any, table: Path, options: list[str], said: str
) -> None:
    done = run("explore", "search", str(table), "any", *STATIC, *options, code=1)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
