"""`tunewright explore anomalies` and `diversity`."""

import csv
import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tunewright.tables.sources import open_source

STATIC = ("--column", "text", "--model", "builtin-static")
FOODS = ["coffee", "tea", "cocoa", "soup", "bread", "cheese", "honey"]
SAID = ["tastes fresh and sweet", "arrived quickly and tastes good", "is too sweet for my taste"]
REVIEWS = [f"This {food} {said}, I would buy it again." for food in FOODS for said in SAID]
ODD = "ERROR worker 7: connection to 10.4.0.12 lost, transaction 88213 rolled back"


def written(path: Path, texts: list[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], *([text] for text in texts)])
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Line 9 is unlike the others; line 14 says what line 2 says, line 24 what line 3 does."""
    texts = [*REVIEWS]
    texts.insert(7, ODD)
    texts.insert(12, REVIEWS[0].upper())
    return written(tmp_path / "reviews.csv", [*texts, REVIEWS[1].replace("quickly", "quikcly")])


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [row.values or {} for row in open_source(path).rows]


def test_the_odd_row_is_named_with_its_reason(run: Any, table: Path) -> None:
    out = table.with_name("out.jsonl")
    asked = ("explore", "anomalies", str(table), *STATIC, "--share", "0.04")
    done = run(*asked, "--method", "lof", "-o", str(out))
    assert "1 row of 24, the farthest for its place first." in done.stdout
    assert done.stdout.splitlines()[-1].split()[0] == "9"
    assert "times as far from its neighbours as they" in done.stdout.splitlines()[-1]
    found = json.loads(run(*asked, "--json").stdout)
    (odd,) = found["data"]
    assert (odd["line"], odd["text"], len(odd["nearest"])) == (9, ODD, 3)
    assert "from its 10 nearest rows, where" in odd["reason"]
    assert odd["score"] == odd["times_usual"] == found["threshold"] > 2
    assert [row["text"] for row in rows_of(out) if row["anomaly"]] == [ODD]
    assert rows_of(out)[7]["score"] == pytest.approx(max(row["score"] for row in rows_of(out)))
    assert "The share is 0.7: name one" in run(*asked[:-1], "0.7", code=1).stderr


def test_near_duplicates_are_groups_that_can_be_dropped(run: Any, table: Path) -> None:
    out = table.with_name("out.csv")
    asked = ("explore", "diversity", str(table), *STATIC)
    done = run(*asked, "-o", str(out))
    assert "2 rows are near-duplicates of an earlier one, in 2 groups." in done.stdout
    found = json.loads(run(*asked, "--json").stdout)
    groups = [{"group": 1, "lines": [2, 14]}, {"group": 2, "lines": [3, 25]}]
    assert (found["duplicates"], found["duplicate_rows"]) == (groups, 2)
    assert 1 < found["vendi"] < 24
    assert found["mean_distance"]["low"] < found["mean_distance"]["high"]
    rows = rows_of(out)
    assert [row["duplicate_of"] for row in rows if row["duplicate_of"]] == ["2", "3"]
    assert [at for at, row in enumerate(rows, 2) if row["duplicate_group"]] == [2, 3, 14, 25]
    assert "The threshold is 1.5" in run(*asked, "--threshold", "1.5", code=1).stderr


@pytest.mark.slow
def test_a_reference_shows_what_is_not_covered(run: Any, table: Path, tmp_path: Path) -> None:
    other = [f"Planet {number} of this star is made of gas and ice." for number in range(8)]
    reference = written(tmp_path / "reference.csv", [*REVIEWS, *other])
    asked = ("explore", "diversity", str(table), *STATIC, "--reference", str(reference))
    said = run(*asked).stdout
    assert "8 rows not covered, such as line" in said
    assert "if both had the same kinds of text it would be" in said
    assert f"reference.csv is more varied than {table.name}" in said
    found = json.loads(run(*asked, "--json").stdout)["reference"]
    assert set(range(23, 31)) <= set(found["uncovered"])
    assert found["coverage"]["high"] < found["expected_coverage"]
    assert found["more_diverse"]["high"] < 0


@pytest.mark.parametrize("command", ["anomalies", "diversity"])
def test_three_rows_of_a_sheet(run: Any, tmp_path: Path, command: str) -> None:
    path, out = str(tmp_path / "small.xlsx"), tmp_path / "out.csv"
    book = openpyxl.Workbook()
    book.create_sheet("two").append(["text"])
    for text in ("a b", "c d", "a b"):
        book["two"].append([text])
    book.save(path)
    out.touch()
    asked = ("explore", command, path, *STATIC[2:], "--sheet", "two", "--template", "{text}")
    done = run(*asked, "-o", str(out), "--overwrite", code=int(command == "anomalies"))
    if command == "anomalies":
        assert "There are 3 rows with a vector. Anomalies need 10 or more" in done.stderr
    else:
        assert [row["duplicate_of"] for row in rows_of(out)] == ["", "", "2"]
    assert "no prompt 'query'" in run(*asked, "--prompt-name", "query", code=1).stderr
