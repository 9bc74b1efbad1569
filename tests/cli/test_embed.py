"""`tunewright embed`: what it computed it prints, keeps, writes and searches."""

import contextlib
import csv
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import tiny_encoders
from tunewright import samples
from tunewright.app import Tunewright
from tunewright.embedding.chosen import Chosen
from tunewright.errors import BadRequest
from tunewright.tables.saved import Saved, saved
from tunewright.tables.writers import check_output

TABLE = ("embed", "--file", str(samples.REVIEWS), "--column", "text")
SEARCH = ("--search", "headphones on the plane", "--top", "3")


def test_a_vector_is_printed_and_is_the_apis(run) -> None:
    done = run("embed", "one", "two")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    wire = json.loads(run("embed", "one", "two", "--json").stdout)["data"]
    np.testing.assert_allclose(rows, [each["embedding"] for each in wire], atol=1e-6)
    assert "2 texts, " in done.stderr


def test_a_table_is_computed_once_and_searched_again(run, home: Path) -> None:
    first = run(*TABLE, *SEARCH)
    assert "eleven hours on the plane" in first.stdout
    assert len(first.stdout.splitlines()) == 4
    assert "Kept for the next search in" in first.stderr
    [kept] = (home / "embeddings").glob("*.npy")
    vectors = np.load(kept)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.save(kept, vectors[::-1])  # it is these that are searched now
    again = run(*TABLE, *SEARCH)
    assert "computed before" in again.stderr
    assert again.stdout != first.stdout


def test_what_the_model_does_not_know_is_said_of_kept_vectors_too(run, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("text\nfirst \U0001f44d one\nanother\n", encoding="utf-8")
    for computed in (True, False):
        said = run("embed", "--file", str(path), "--search", "first").stderr
        assert ("computed before" not in said) == computed
        assert "The model does not know 1 of 4 tokens" in said


@pytest.mark.parametrize(
    "ending",
    ["jsonl", *(pytest.param(each, marks=pytest.mark.slow) for each in ("csv", "npy", "parquet"))],
)
def test_what_was_written_is_searched(run, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"saved.{ending}"
    written = run(*TABLE, "-o", str(path), *SEARCH)
    found = saved(path) or Saved()
    texts, vectors = found.texts, found.vectors
    assert (len(texts), vectors.shape) == (40, (40, 384))
    found = run("embed", "--file", str(path), *SEARCH)
    assert [line.split(maxsplit=2)[2] for line in found.stdout.splitlines()] == [
        line.split(maxsplit=2)[2] for line in written.stdout.splitlines()
    ]
    assert "computed before" in found.stderr


def test_an_output_that_cannot_be_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"ending in one of \.jsonl"):
        check_output(tmp_path / "vectors.txt")
    with pytest.raises(BadRequest, match="There is no folder"):
        check_output(tmp_path / "nowhere" / "vectors.npy")


def test_one_bad_cell_costs_its_row_only(run, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    cells = ["first one", "", "  ", "บริการแย่มาก", "word " * 9_000, "last \U0001f44d one"]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "n"], *([cell, "1"] for cell in cells)])
    done = run("embed", "--file", str(path), "--search", "first")
    assert "3 texts, " in done.stderr
    assert "left out: line 3: it is empty" in done.stderr
    assert "left out: line 4: it is empty" in done.stderr
    assert "left out: line 5: the model knows no token of it" in done.stderr
    assert "left out: line 6" not in done.stderr  # it is longer than a request may be
    assert "The model does not know 1 of 9,005 tokens" in done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()[1:]] == ["2", "7", "6"]


@pytest.mark.parametrize(
    ("encoding", "text"), [("GB18030", "tea 服务很好"), ("CP1252", "Grüße 5 € déjà vu")]
)
def test_another_encoding_is_refused_with_its_line_and_the_command_that_helps(
    run, tmp_path: Path, encoding: str, text: str
) -> None:
    path = tmp_path / "my table.csv"
    path.write_bytes(f"text\nplain\n{text}\n".encode(encoding))
    out = tmp_path / "out.jsonl"
    done = run("embed", "--file", str(path), "-o", str(out), code=1)
    assert "1 bad row; line 3: It is not UTF-8" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()
    [convert] = re.findall(rf"iconv -f {encoding} .*?csv' > '.*?csv'", done.stderr)
    subprocess.run(convert, shell=True, check=True)
    converted = tmp_path / "my table.utf8.csv"
    assert converted.read_text("utf-8").splitlines() == ["text", "plain", text]
    assert "2 texts, " in run("embed", "--file", str(converted), "-o", str(out)).stderr


def test_a_table_is_written_whole_and_searched(run, tmp_path: Path) -> None:
    path, out = tmp_path / "table.csv", tmp_path / "out.parquet"
    path.write_text("title,text\nTea,hot and good\nCat,\n,\nTea,hot and good\n")
    given = ("embed", "--file", str(path), "--template", "{title}: {text}", "-o", str(out))
    done = run(*given, "--search", "cat")
    assert "3 texts, " in done.stderr
    assert "1 of them are equal to another one" in done.stderr
    assert "left out: line 4: The row is empty." in done.stderr
    assert "Cat:" in done.stdout.splitlines()[1]
    assert "no prompt 'query'" in run(*given, "--prompt-name", "query", code=1).stderr
    assert "exists already" in run(*given, "--model", "builtin-static", code=1).stderr
    anew = json.loads(run(*given, "--model", "builtin-static", "--overwrite", "--json").stdout)
    assert (anew["embedded"], anew["model"]) == (3, "builtin-static")


@pytest.mark.slow  # an engine starts for it
def test_the_engine_is_started_for_a_model_that_it_computes(
    run, home: Path, tmp_path: Path
) -> None:
    directory = tiny_encoders.for_torch(tmp_path / "model")
    with contextlib.closing(Tunewright(home)) as tw:
        tw.bases.add("by-torch", directory, "embedding", lambda *_: None, Chosen("torch").about)
    done = run("embed", "the cat sat", "the dog sat", "--model", "by-torch")
    assert len(done.stdout.splitlines()) == 2, done.stderr
