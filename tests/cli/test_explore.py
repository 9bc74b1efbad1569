"""`tunewright explore`: what all of its commands share, and the report.

The commands run in this process, on one home: a process of its own costs each two seconds.
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tunewright import samples
from tunewright.cli.commands import app
from tunewright.errors import TunewrightError
from tunewright.tables.sources import open_source

TEXTS = [
    "The kettle arrived broken, with a crack in the glass.",
    "My cat loves this food and asks for more every morning.",
    "Delivery took three weeks and nobody answered my letters.",
    "A strong coffee with a taste of chocolate.",
]
STATIC = ("--model", "builtin-static")
Explore = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("explored") / "home"


@pytest.fixture
def explore(home: Path) -> Explore:
    def run(*arguments: Any) -> Result:
        words = [*map(str, arguments), "--home", str(home)]
        return CliRunner().invoke(app, ["explore", *words])

    return run


def right(done: Result) -> Result:
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    return done


def refused(done: Result) -> str:
    """What the command line says in a sentence: all else that is raised is a stack trace there."""
    assert isinstance(done.exception, TunewrightError), repr(done.exception)
    return done.exception.message


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "my table.csv"
    rows = [["n", "Text", "stars"], *([at, text, "4.5"] for at, text in enumerate(TEXTS))]
    rows.insert(2, ["x", "", "1"])
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_table_is_searched_and_keeps_its_rows_and_columns(explore: Explore, table: Path) -> None:
    query = ("search", table, "it came in pieces, broken", "--column", "Text", *STATIC)
    done = right(explore(*query, "--top", 2))
    assert [line.split()[3] for line in done.stdout.splitlines()] == ["line", "2", "5"]
    assert "left out: line 3: it is empty" in done.stderr
    found = json.loads(right(explore(*query, "--json", "--top", 1)).stdout)
    assert (found["rows"], found["model"]) == (4, "builtin-static")
    assert found["left_out"] == [{"line": 3, "reason": "it is empty"}]
    assert [(hit["line"], hit["text"]) for hit in found["data"]] == [(2, TEXTS[0])]
    for ending in (".csv", ".jsonl", ".parquet"):
        out = table.with_name(f"out{ending}")
        right(explore(*query, "-o", out))
        rows = [row.values or {} for row in open_source(out).rows]
        assert [row["Text"] for row in rows] == [TEXTS[0], "", *TEXTS[1:]]
        assert [str(row["rank"] or "") for row in rows[:2]] == ["1", ""]
        assert float(rows[0]["score"]) == found["data"][0]["score"]
        assert "exists already" in refused(explore(*query, "-o", out))
        right(explore(*query, "-o", out, "--overwrite"))
    assert "has a column 'score' already" in refused(
        explore("search", out, "any", "--column", "Text", *STATIC, "-o", table.with_name("x.csv"))
    )


def test_vectors_of_a_file_are_used_and_their_model_is_its_own(
    explore: Explore, home: Path, table: Path
) -> None:
    path = table.with_name("embedded.parquet")
    embed = ["embed", "--file", str(table), "--column", "Text", *STATIC, "-o", str(path)]
    right(CliRunner().invoke(app, [*embed, "--home", str(home)]))
    query = ("search", path, "broken glass", "--json")
    found = json.loads(right(explore(*query)).stdout)
    assert (found["model"], found["data"][0]["line"]) == ("builtin-static", 1)
    said = refused(explore(*query, "--model", "builtin-mini"))
    assert "of another model than builtin-mini: they are of builtin-static" in said


def test_vectors_that_cannot_be_used_cost_their_row_only(explore: Explore, tmp_path: Path) -> None:
    path = tmp_path / "vectors.jsonl"
    vectors = [[2.0, 0.0], [float("nan"), 1.0], None, "text", [0.0, 0.0], [0.0, 3.0]]
    lines = [{"text": f"row {at}", "embedding": v} for at, v in enumerate(vectors, start=1)]
    path.write_text("\n".join(map(json.dumps, lines)))
    out = tmp_path / "out.csv"
    done = explore("search", path, "anything", "-o", out)
    assert "The vectors have 2 dimensions" in refused(done)
    for line, why in ((3, "empty"), (4, "not a list of numbers"), (5, "all zeros")):
        assert f"left out: line {line}: its `embedding` is {why}" in done.stderr
    assert "2 vectors were not of length 1" in done.stderr
    assert not out.exists()
    told = json.loads(right(explore("diversity", path, "--json")).stdout)
    assert (told["rows"], told["model"], told["fingerprint"]) == (2, None, None)
    np.save(tmp_path / "m.npy", np.eye(2, dtype=np.float32) * np.nan)
    (tmp_path / "m.texts.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n')
    said = refused(explore("search", tmp_path / "m.npy", "any"))
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
    explore: Explore, table: Path, options: list[str], said: str
) -> None:
    assert said in refused(explore("search", table, "any", *STATIC, *options))


REPORT = ("--column", "text", "--number", "stars", *STATIC)


def test_a_report_is_one_file_that_tells_of_every_row(explore: Explore, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    done = right(explore(samples.REVIEWS, *REPORT, "-o", out))
    assert f"Report: {out}" in done.stderr
    page = out.read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "explore report" in page
    right(explore("report", samples.REVIEWS, *REPORT, "-o", tmp_path / "again.html"))
    assert (tmp_path / "again.html").read_bytes() == out.read_bytes()
    for options, said in (
        (["-o", tmp_path / "report.pdf"], "expected a name ending in .html"),
        (["-o", tmp_path / "nowhere" / "report.html"], "There is no folder"),
        (["-o", out, "--label", "star"], "There is no column 'star'. Did you mean 'stars'?"),
        (["-o", out, "--user", "who"], "There is no column 'who'."),
        (["-o", out, "--item", "what"], "There is no column 'what'."),
    ):
        assert said in refused(explore(samples.REVIEWS, "--column", "text", *STATIC, *options))


@pytest.mark.slow
def test_two_processes_give_the_same_bytes(tmp_path: Path) -> None:
    """Each embeds by itself, too: builtin-mini, with other threads and other hashes."""
    pages: list[bytes] = []
    for threads, seed in (("1", "1"), ("2", "2")):
        out = tmp_path / "report.html"
        command = [sys.executable, "-m", "tunewright", "explore", "report", str(samples.REVIEWS)]
        more = [*REPORT[:4], "-o", str(out), "--home", str(tmp_path / f"home{seed}")]
        changed = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        subprocess.run(
            [*command, *more],
            env={**os.environ, **changed, "PYTHONHASHSEED": seed},
            check=True,
            timeout=240,
        )
        pages.append(out.read_bytes())
        out.unlink()
    assert pages[0] == pages[1]
