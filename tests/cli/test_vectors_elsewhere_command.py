"""`tunewright vectors` on collections of an index anywhere, and copies between places."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tunewright.cli.commands import app
from tunewright.vectors import open_index

Run = Callable[..., str]
TEXTS = ["Green tea steeps for two minutes.", "The night train leaves at ten.", "Bread bakes."]


@pytest.fixture
def run(home: Path) -> Run:
    """The standard output, and the messages or the error beside it."""

    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, [*arguments, "--home", str(home)])
        assert done.exit_code == code, f"{done.output}\n{done.exception!r}"
        exited = isinstance(done.exception, SystemExit)
        return done.stdout + ("" if code == 0 or exited else f"{done.stderr}{done.exception}")

    return run


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [{"number": f"n{n}", "stars": n, "text": text} for n, text in enumerate(TEXTS)]
    path = tmp_path / "notes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_what_embed_wrote_is_copied(run: Run, table: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "notes.parquet")
    run("embed", "--file", str(table), "--model", "builtin-static", "--output", out)
    place = f"{tmp_path}/vectors"
    given = ("--where", "stars>=1", "--metric", "dot", "--id", "number")
    said = run("vectors", "copy", out, f"{place}#some", *given)
    assert said.startswith(f"local:{place}#some has 2 rows of {out}: ")
    assert "a search there finds 100.0% of the 1 nearest other." in said
    index = open_index(place)
    assert index.read("some").attributes[0] == {"stars": 1.0, "text": TEXTS[1]}
    assert index.describe("some").metric == "dot"
    index.close()
    done = json.loads(run("vectors", "copy", f"{place}#some", f"{place}#again", "--json"))
    assert done == {
        "object": "vectors.copy",
        "source": f"local:{place}#some",
        "destination": f"local:{place}#again",
        "rows": 2,
        "dimensions": done["dimensions"],
        "metric": "dot",
        "rows_before": 0,
        "verified": True,
        "neighbours": {"queries": 2, "k": 1, "share": 1.0},
        "notes": [],
    }
    assert "has 2 rows already" in run("vectors", "copy", out, f"{place}#some", code=1)
    assert "no metric 'far'" in run("vectors", "copy", out, f"{place}#x", "--metric", "far", code=1)
    run("vectors", "copy", out, f"{place}#x", "--text", "said")
