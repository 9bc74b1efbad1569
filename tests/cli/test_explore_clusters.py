"""`tunewright explore clusters` and `map`: of texts of five topics."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from analysis.planted_topics import planted

pytest.importorskip("sklearn", reason="the extra `explore` is not installed")
STATIC = ("--model", "builtin-static", "--column", "text")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "topics.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        texts, topics = planted()
        csv.writer(file).writerows([("text", "topic"), *zip(texts, topics, strict=True)])
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [*csv.DictReader(file)]


def test_clusters_are_shown_named_and_written_to_the_table(run: Any, table: Path) -> None:
    out = table.with_name("out.csv")
    done = run("explore", "clusters", str(table), *STATIC, "-o", str(out))
    said = done.stdout.splitlines()
    assert said[0] == "200 rows in 5 clusters: of 2 to 24, the number with the best silhouette."
    assert "5 of 5 stable" in done.stdout
    rows = rows_of(out)
    for number in range(5):
        [shown] = [line.split() for line in said if line.startswith(f"{number:>7}  ")]
        [name] = {row["cluster_name"] for row in rows if row["cluster"] == str(number)}
        assert shown[1 : 1 + len(name.split())] == name.split()
        assert len({row["topic"] for row in rows if row["cluster"] == str(number)}) == 1


def test_a_map_has_positions_of_every_row(run: Any, table: Path) -> None:
    out = table.with_name("out.csv")
    done = run("explore", "map", str(table), *STATIC, "--method", "pca", "--json", "-o", str(out))
    found = json.loads(done.stdout)
    assert found["method"] == "pca"
    places = [(place["x"], place["y"]) for place in found["data"]]
    assert places == [(float(row["x"]), float(row["y"])) for row in rows_of(out)]
    assert max(abs(value) for place in places for value in place) == 1


def test_what_cannot_be_clustered_is_said_in_a_sentence(run: Any, table: Path) -> None:
    done = run("explore", "clusters", str(table), *STATIC, "--k", "201", code=1)
    assert "k is 201: it must be from 1 to the number of rows, 200." in done.stderr


@pytest.mark.slow
def test_other_ways_are_taken(run: Any, table: Path) -> None:
    out = table.with_name("out.csv")
    out.write_text("what was there")
    again = (*STATIC, "--seed", "1", "-o", str(out), "--overwrite")
    done = run(
        "explore", "clusters", str(table), *again, "--k", "3", "--method", "k-means", "--json"
    )
    assert [each["cluster"] for each in json.loads(done.stdout)["data"]] == [0, 1, 2]
    assert {row["cluster"] for row in rows_of(out)} == {"0", "1", "2"}
    run("explore", "map", str(table), *again, "--method", "pca")
    assert "x" in rows_of(out)[0]


@pytest.mark.parametrize("part", ["clusters", "map"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--template", "{Txt}"), "There is no column 'Txt'. Did you mean 'text'?"),
        (("--sheet", "one"), "has no sheets"),
        (("--column", "text", "--prompt-name", "query"), "has no prompt 'query'"),
    ],
)
def test_options_of_the_table_reach_it(
    run: Any, table: Path, part: str, options: tuple[str, ...], said: str
) -> None:
    done = run("explore", part, str(table), "--model", "builtin-static", *options, code=1)
    assert said in done.stderr
