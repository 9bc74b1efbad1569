"""`tunewright explore classify` and `predict`: of texts of two topics, with numbers that follow."""

import csv
import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from analysis.planted_topics import planted

pytest.importorskip("sklearn", reason="the extra `explore` is not installed")
STATIC = ("--model", "builtin-static", "--template", "It says: {text}")
LABELLED = 60  # of 80 rows


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two topics, labelled but for the last 20 rows; the first row's label is wrong."""
    texts, topics = planted()
    first, second = "bicycle", "bread"
    rows = [
        (text, (first, second)[topic])
        for text, topic in zip(texts, topics, strict=True)
        if topic in (0, 1)
    ]
    path = tmp_path_factory.mktemp("classify") / "topics.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file).writerow
        write(("text", "topic", "truth", "stars", "id", "one"))
        for at, (text, topic) in enumerate(rows):
            given = topic if at else {first: second, second: first}[topic]
            stars = 3 if at == 7 else 5 if topic == first else 1
            write((text, given if at < LABELLED else "", topic, stars, f"id-{at}", "same"))
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [*csv.DictReader(file)]


def test_labels_are_learned_shown_written_saved_and_predicted(run: Any, table: Path) -> None:
    out, kept = table.with_name("out.csv"), table.with_name("topics.safetensors")
    learn = ("explore", "classify", str(table), *STATIC, "--label", "topic")
    done = run(*learn, "-o", str(out), "--save", str(kept))
    assert "60 rows with a label, logistic regression, 5 folds" in done.stdout
    assert "20 rows without a label: predicted, not learned from." in done.stdout
    assert "given \\ predicted" in done.stdout
    shown = done.stdout.partition("1 label that may be wrong:")[2].splitlines()
    assert shown[2].split()[0] == "2"  # the line of the row that is labelled wrongly
    rows = rows_of(out)
    assert sum(row["predicted_label"] == row["truth"] for row in rows) >= 78
    assert all(0.5 <= float(row["confidence"]) <= 1 for row in rows)

    found = json.loads(run("explore", "predict", str(kept), str(table), "--json").stdout)
    assert (found["predicts"], found["model"], found["kind"]) == (
        "topic",
        "builtin-static",
        "label",
    )
    for one, row in zip(found["data"][LABELLED:], rows[LABELLED:], strict=True):
        assert one["predicted_label"] == row["predicted_label"]
        assert one["confidence"] == pytest.approx(float(row["confidence"]), abs=2e-6)
    said = run(
        "explore", "predict", str(kept), str(table), "--model", "builtin-mini", code=1
    ).stderr
    assert "takes vectors of builtin-static with the fingerprint" in said
    assert "exists already" in run(*learn, "--save", str(kept), code=1).stderr
    said = run("explore", "classify", str(table), *STATIC, "--label", "id", code=1).stderr
    assert "80 different values in 80 rows: it tells rows apart" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_number_and_a_rule_of_it_and_labels_without_learning(run: Any, table: Path) -> None:
    learn = ("explore", "classify", str(table), *STATIC, "--json")
    number = json.loads(run(*learn, "--number", "stars").stdout)
    assert number["r2"]["low"] > 0.5
    assert number["mae"]["high"] < number["baseline_mae"]
    rule = json.loads(run(*learn, "--label", "stars >= 5 against <= 1").stdout)
    assert rule["labels"] == ["stars <= 1", "stars >= 5"]
    assert rule["labelled"] == 79
    assert rule["about_labels"][0].startswith("1 row on neither side of 'stars >= 5 against <= 1'")
    topics = sorted({row["truth"] for row in rows_of(table)})
    told = json.loads(run(*learn, "--labels", ",".join(topics), "--label", "truth").stdout)
    assert told["judged"]["labelled"] == 80
    assert told["judged"]["accuracy"]["low"] > told["judged"]["majority"] == 0.5
    assert {one["predicted_label"] for one in told["data"]} == set(topics)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Give one of --label COLUMN"),
        (["--label", "topic", "--number", "stars"], "Give one of --label COLUMN"),
        (["--label", "Topic"], "There is no column 'Topic'. Did you mean 'topic'?"),
        (["--label", "star >= 3"], "There is no column 'star'. Did you mean 'stars'?"),
        (["--label", "id"], "80 different values in 80 rows: it tells rows apart"),
        (["--label", "one"], "one class only: 80 rows with 'same'"),
        (["--label", "stars >= 3 against <= 5"], "is on both sides of"),
        (["--number", "topic"], "The column 'topic' has no number"),
        (["--labels", "good"], "Give two labels or more"),
        (["--labels", "good,bad", "--label-template", "A text."], "needs one {}"),
        (["--label", "topic", "--save", "m.pkl"], "expected a name ending in .safetensors"),
        (["--label", "topic", "--save", "no/m.safetensors"], "There is no folder"),
    ],
)
def test_what_cannot_be_learned_is_said_in_a_sentence(
    run: Any, table: Path, options: list[str], said: str
) -> None:
    done = run("explore", "classify", str(table), *STATIC, *options, code=1)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_other_ways_are_taken(run: Any, table: Path) -> None:
    """A sheet of a workbook, by its neighbours; the columns of a predictor may be others there."""
    book = table.with_suffix(".xlsx")
    made = openpyxl.Workbook()
    made.create_sheet("reviews")
    for row in csv.reader(table.read_text("utf-8").splitlines()):
        made["reviews"].append([row[0], *row[:3]])
    made["reviews"]["A1"] = "said"
    made.save(book)
    out, kept = table.with_name("other.jsonl"), table.with_name("near.safetensors")
    sheet = (str(book), "--sheet", "reviews", "--model", "builtin-static")
    output = ("-o", str(out), "--overwrite")
    learn = ("explore", "classify", *sheet, "--column", "said", "--label", "topic", *output)
    near = ("--method", "nearest neighbours", "--save", str(kept), "--top", "0")
    done = run(*learn, *near)
    assert "60 rows with a label, nearest neighbours" in done.stdout
    assert "1 label that may be wrong" in done.stdout
    assert "line  given" not in done.stdout
    own = run("explore", "predict", str(kept), *sheet, *output)
    assert len(own.stdout.splitlines()) == 82  # what the predictor is, and a row each
    told = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert sum(row["predicted_label"] == row["truth"] for row in told) >= 78
    for other in (("--column", "text"), ("--template", "{text}")):
        there = run("explore", "predict", str(kept), *sheet, *other)
        assert there.stdout == own.stdout
    said = run(*learn, "--prompt-name", "query", code=1).stderr
    assert "has no prompt 'query'" in said
