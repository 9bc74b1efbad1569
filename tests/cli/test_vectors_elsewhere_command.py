"""`tunewright vectors` on collections of an index anywhere, and copies between places."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
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


@pytest.fixture
def place(tmp_path: Path) -> str:
    return f"{tmp_path}/vectors"


def test_a_collection_from_texts_to_answers(run: Run, table: Path, place: str) -> None:
    at = ("--index", place)
    by = ("--model", "builtin-static")
    assert run("vectors", "list", *at).split() == ["name", "rows", "dimensions", "metric"]
    assert run("vectors", "create", "notes", *at, *by).startswith("notes\n")
    made = json.loads(run("vectors", "create", "other", *at, "--dimensions", "3", "--metric", "dot",
                          "--json"))  # fmt: skip
    assert made == {
        "object": "vectors.collection", "name": "other", "rows": 0, "dimensions": 3, "metric": "dot"
    }  # fmt: skip
    given = ("--column", "text", "--id", "number", "--attribute", "new=true")
    said = run("vectors", "add", "notes", str(table), *at, *by, *given)
    assert said == "notes has 3 rows; 3 were added.\n"
    lines = run("vectors", "search", "notes", "a train at night", *at, *by, "--top", "1")
    first, second = lines.splitlines()
    assert first.split()[1:] == ["n1", "new=true,", "stars=1"]
    assert second.strip() == TEXTS[1]
    others = ("--filter", "stars!=1", "--json")
    found = json.loads(run("vectors", "search", "notes", "a train", *at, *by, *others))
    assert {row["id"] for row in found["data"]} == {"n0", "n2"}
    assert {row["attributes"]["new"] for row in found["data"]} == {True}
    assert run("vectors", "search", "notes", "tea", *at, *by, "--threshold", "1") == ""
    assert run("vectors", "count", "notes", *at, "--where", "stars>=1") == "2\n"
    assert json.loads(run("vectors", "count", "notes", *at, "--json"))["rows"] == 3
    [row] = json.loads(run("vectors", "list", "notes", *at, "--limit", "1", "--json"))["data"]
    assert row == {"id": "n0", "attributes": {"stars": 0.0, "text": TEXTS[0], "new": True}}
    assert "stars=2" in run("vectors", "list", "notes", *at)
    assert ["notes", "3", "256", "cosine"] in map(
        str.split, run("vectors", "list", *at).splitlines()
    )
    assert "recall@2 1.0000" in run("vectors", "verify", "notes", *at)
    assert json.loads(run("vectors", "verify", "other", *at, "--json"))["recall"] is None
    assert run("vectors", "delete", "notes", "n0", *at) == "Deleted 1 row; notes has 2 now.\n"
    gone = run("vectors", "delete", "notes", "--where", "stars>=2", *at)
    assert gone == "Deleted 1 row; notes has 1 now.\n"
    assert run("vectors", "delete", "notes", *at) == "Deleted notes with 1 row.\n"
    assert "There is no collection 'notes'" in run("vectors", "count", "notes", *at, code=1)


def test_vectors_of_a_file_and_a_vector_that_is_asked_for(
    run: Run, tmp_path: Path, home: Path, place: str
) -> None:
    at, file = ("--index", place), tmp_path / "points.jsonl"
    rows = [{"name": f"p{n}", "embedding": [1, n]} for n in range(5)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for _ in range(2):  # the same rows again: the same ids
        run("vectors", "add", "points", str(file), *at)
    found = json.loads(run("vectors", "search", "points", "[1, 2.1]", *at, "--top", "2", "--json"))
    assert [row["id"] for row in found["data"]] == ["points.jsonl:3", "points.jsonl:4"]
    assert run("vectors", "count", "points", *at) == "5\n"
    said = run("vectors", "search", "points", "[1, 2, 3]", *at, code=1)
    assert "have 2 dimensions, and that of the query has 3" in said
    assert "have 2 dimensions, and that of the query has 256" in run(
        "vectors", "search", "points", "[not a vector", *at, "--model", "builtin-static", code=1
    )
    assert not any((home / "copies").glob("*"))


def test_numbers_of_a_csv_file_are_numbers(run: Run, tmp_path: Path, place: str) -> None:
    """Its cells are texts; a column of numbers is meant to be filtered by."""
    file, at = tmp_path / "reviews.csv", ("--index", place)
    heads = "id,stars,price,good,zip,empty,text"
    file.write_text(f"{heads}\n7,5,-1.5e1,True,01234,,{TEXTS[0]}\n8,,2,false,99,,{TEXTS[1]}\n")
    run("vectors", "add", "reviews", str(file), *at, "--model", "builtin-static")
    index = open_index(place)
    rows = index.read("reviews")
    index.close()
    assert rows.ids == ["7", "8"]
    more = {"zip": "01234", "empty": "", "text": TEXTS[0]}
    assert rows.attributes[0] == {"stars": 5.0, "price": -15.0, "good": True, **more}
    more = {"zip": "99", "empty": "", "text": TEXTS[1]}
    assert rows.attributes[1] == {"price": 2.0, "good": False, **more}
    assert run("vectors", "count", "reviews", *at, "--where", "stars>=4") == "1\n"


def test_rows_of_another_model_are_embedded_anew(
    run: Run, home: Path, tmp_path: Path, place: str
) -> None:
    """As for a collection whose model is not here: its texts are."""
    index = open_index(place)
    index.create("old", 2)
    said = [{"text": text, "id": n, "mixed": [1, "x", True][n]} for n, text in enumerate(TEXTS)]
    index.upsert("old", ["a", "b", "c"], np.ones((3, 2), np.float32), said)
    out = str(tmp_path / "old.parquet")
    run("vectors", "copy", f"{place}#old", out)
    by = ("--index", place, "--model", "builtin-static")
    run("vectors", "add", "new", out, *by, "--column", "text")
    found = json.loads(run("vectors", "search", "new", "a train at night", *by, "--json"))["data"]
    assert found[0]["id"] == "b"
    assert found[0]["attributes"] == {"text": TEXTS[1], "id": 1.0, "mixed": "x"}
    assert index.fetch("new", ["c"]).attributes == [{"text": TEXTS[2], "id": 2.0, "mixed": True}]
    index.close()
    assert not any((home / "copies").glob("*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "x", "--index", "P"), "Give --dimensions N, or --model MODEL"),
        (("create", "x", "--index", "P", "--description", "d"), "--description goes with vector"),
        (("create", "x", "--dimensions", "3"), "--dimensions goes with --index PLACE"),
        (("add", "x", "f", "--column", "c"), "--column goes with --index PLACE"),
        (("add", "x", "f", "--index", "P", "--chunk-tokens", "200"), "goes with vector stores"),
        (("add", "x", "none.csv", "--index", "P"), "There is no file none.csv"),
        (("search", "x", "q", "--hybrid", "--index", "P"), "--hybrid goes with vector stores"),
        (("search", "x", "q", "--model", "m"), "--model goes with --index PLACE"),
        (("search", "x", "[1]", "--index", "P"), "no collection 'x'"),
        (("delete", "x", "--where", "a=1"), "--where goes with --index PLACE"),
        (("delete", "x", "id", "--where", "a=1", "--index", "P"), "one of the two"),
        (("count", "x", "--index", "none:there"), "There is no vector index 'none'"),
    ],
)
def test_what_does_not_go_together(
    run: Run, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    given = [word.replace("P", str(tmp_path / "empty")) if word == "P" else word for word in words]
    assert said in run("vectors", *given, code=1)


def test_numbers_of_a_table_without_types(run: Run, tmp_path: Path, place: str) -> None:
    """CSV in Parquet is texts: a filter by a number that finds nothing says so."""
    table, out = tmp_path / "stars.csv", str(tmp_path / "stars.parquet")
    table.write_text('stars,votes,text\n5,"1,200",Bread bakes.\n3,,Green tea steeps.\n')
    by, at = ("--model", "builtin-static"), ("--index", place)
    run("embed", "--file", str(table), *by, "--output", out)
    run("vectors", "copy", out, f"{place}#texts")
    texts = CliRunner().invoke(app, ["vectors", "count", "texts", *at, "--where", "stars>=4"])
    assert texts.stdout == "0\n"
    assert """'stars="4"', or copy the table anew with --number stars.""" in texts.stderr
    assert run("vectors", "count", "texts", *at, "--where", 'stars="5"') == "1\n"
    numbers = ("--number", "stars", "--number", "votes")
    run("vectors", "copy", out, f"{place}#copied", *numbers)
    run("vectors", "add", "added", str(table), *at, *by, *numbers)
    for name in ("copied", "added"):
        assert run("vectors", "count", name, *at, "--where", "stars>=4") == "1\n"
        assert run("vectors", "count", name, *at, "--where", "votes=1200") == "1\n"
    said = run("vectors", "copy", out, f"{place}#no", "--number", "text", code=1)
    assert "row 1: 'text' is 'Bread bakes.', which is not a number." in said
