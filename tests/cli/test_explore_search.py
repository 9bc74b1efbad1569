"""`tunewright explore search` and `similar`: on the reviews that ship, and on a planted table."""

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tunewright import Tunewright, samples
from tunewright.builtin import STATIC as WEIGHTS
from tunewright.cli.commands import app
from tunewright.embedding.static import StaticEmbedder
from tunewright.errors import TunewrightError
from tunewright.vectors import open_index

pytest.importorskip("bm25s", reason="the extra `explore` is not installed")
REVIEWS = str(Path(samples.__file__).with_name("reviews.csv"))
STATIC = ("--model", "builtin-static")
SEARCH = ("explore", "search", REVIEWS)
TABLE = ("--column", "text", *STATIC)
SIMILAR = ("explore", "similar", REVIEWS, *TABLE)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """In this process, on one home for all: a process of its own for each command takes a second of
    the processor."""
    home = tmp_path_factory.mktemp("home")

    def run(*arguments: str, code: int = 0) -> Any:
        done = CliRunner().invoke(app, [*arguments, "--home", str(home)], env={"NO_COLOR": "1"})
        assert done.exit_code == code, f"{done.output}\n{done.exception!r}"
        assert code == 0 or isinstance(done.exception, TunewrightError)  # which the command prints
        return done

    return run


def found(done: Any) -> list[int]:
    return [one["line"] for one in json.loads(done.stdout)["data"]]


def test_by_meaning_and_by_words(run: Any) -> None:
    """Line 33: "keeps my daughter from being scared of the dark"."""
    asked = (*SEARCH, "my child is afraid of the dark", *TABLE, "--json")
    data = json.loads(run(*asked, "--top", "3").stdout)["data"]
    assert data[0]["line"] == 33
    assert data[0].keys() == {"line", "score", "similarity", "words", "text"}
    assert data[0]["score"] > data[1]["score"] > data[2]["score"]
    for method in ("hybrid", "rrf", "vectors", "words"):
        done = run(*SEARCH, "scared daughter", *TABLE, "--method", method, "--json", "--top", "1")
        assert found(done) == [33]
    words = run(*SEARCH, "zebra", *TABLE, "--method", "words")
    assert "No row has a word of the query." in words.stderr
    nothing = run(*SEARCH, "kettle", *TABLE, "--filter", "stars>5")
    assert "No row matches the filter." in nothing.stderr
    shown = run(*SEARCH, "scared of the dark", *TABLE, "--top", "1").stdout.splitlines()
    assert shown[0].split() == ["score", "similarity", "words", "line", "text"]
    alike = [
        found(run(*asked, "--method", "vectors", "--metric", metric))
        for metric in ("cosine", "dot", "euclidean")
    ]
    assert alike[0] == alike[1] == alike[2]
    assert found(run(*asked, "--variety", "0.9")) != found(run(*asked))


@pytest.mark.parametrize(
    ("filters", "lines"),
    [
        (["stars<=1"], {7, 18, 23, 35}),
        (["product=Copperlark Electric Kettle"], {17, 18}),
        (["stars>=4", "product=Copperlark Electric Kettle"], {17}),
        (['{"type": "in", "key": "id", "value": [6, "7", 100]}'], {7, 8}),
        (["stars=1.0", "product!=Mossgate Garden Hose"], {7, 18, 35}),
    ],
)
def test_only_rows_that_a_filter_means(run: Any, filters: list[str], lines: set[int]) -> None:
    options = [word for each in filters for word in ("--filter", each)]
    done = run(*SEARCH, "it broke", *TABLE, *options, "--top", "40", "--json")
    assert set(found(done)) == lines


def test_scores_as_columns_of_the_table(run: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    run(*SEARCH, "coffee", "--column", "product,text", *STATIC, "--filter", "id<=3", "-o", str(out))
    rows = list(csv.DictReader(out.open(encoding="utf-8", newline="")))
    assert sorted(row["rank"] for row in rows) == [""] * 37 + ["1", "2", "3"]
    assert [row["id"] for row in rows if row["rank"]] == ["1", "2", "3"]
    run("explore", "similar", REVIEWS, *TABLE, "--like", "2", "-o", str(out), "--overwrite")
    rows = list(csv.DictReader(out.open(encoding="utf-8", newline="")))
    assert sorted(int(row["rank"] or 0) for row in rows) == [*range(40)]
    assert rows[0]["rank"] == rows[0]["score"] == ""  # the row itself


def test_chinese_is_searched_by_pairs_of_letters(run: Any, tmp_path: Path) -> None:
    table = tmp_path / "评论.csv"
    table.write_text(
        "text\n这个水壶漏水 bad\n无线耳机音质很好 good\n线上客服不接机 slow\n", "utf-8"
    )
    done = run("explore", "search", str(table), "耳机", *TABLE, "--method", "words", "--json")
    assert found(done) == [3]


def test_a_vector_index_instead_of_a_table(run: Any, tmp_path: Path) -> None:
    index = open_index(f"local:{tmp_path / 'index'}")
    texts = ["The kettle leaks.", "A soft blanket.", "Strong coffee."]
    index.create("kept", 256)
    index.upsert(
        "kept",
        ["a", "b", "c\U0010ffff"],
        StaticEmbedder(WEIGHTS).embed(texts).vectors,
        [{"text": text, "n": at} for at, text in enumerate(texts)],
    )
    index.close()
    place = ("--index", f"local:{tmp_path / 'index'}", *STATIC)
    asked = ("explore", "search", "kept", "water drips out of the kettle", *place)
    data = json.loads(run(*asked, "--json").stdout)["data"]
    assert data[0]["id"] == "a"
    assert {one["id"]: one["attributes"]["text"] for one in data} == dict(
        zip(["a", "b", "c\U0010ffff"], texts, strict=True)
    )
    done = run(*asked, "--filter", "n>=1", "--top", "1")
    assert done.stdout.splitlines()[0].split() == ["score", "id", "attributes"]
    assert "The kettle leaks." not in done.stdout
    said = str(run("explore", "search", "other", "any", *place, code=1).exception)
    assert "There is no collection 'other' in this index. It has: kept." in said
    assert "--column is for tables" in str(run(*asked, "--column", "text", code=1).exception)
    assert "dimensions" in str(run(*asked[:-1], "builtin-mini", code=1).exception)


def test_like_some_rows_and_unlike_others(run: Any) -> None:
    """Lines 5 and 6: headphones; 7 and 8: earbuds; 2 to 4: coffee."""
    assert set(found(run(*SIMILAR, "--like", "5", "--top", "3", "--json"))) & {6, 7, 8}
    both = found(run(*SIMILAR, "--like", "2", "--like", "3", "--unlike", "5", "--json"))
    assert not set(both) & {2, 3, 5}
    by_name = ("--template", "{product}", *STATIC)  # line 6 is of the same product
    assert "No other row matches" in run(*SIMILAR, "--like", "2", "--filter", "stars>5").stderr
    named = run("explore", "similar", REVIEWS, *by_name, "--like", "5", "--top", "1", "--json")
    assert found(named) == [6]
    done = run(*SIMILAR, "--like", "2", "--like", "5", "--filter", "stars=4", "--variety", "0.2")
    assert done.stdout.splitlines()[0].split() == ["score", "line", "because", "text"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Say what it is to be like"),
        (["--like", "999"], "Line 999 cannot be used: the table has no row that begins there"),
        (["--like", "2", "--unlike", "2"], "is liked and disliked"),
        (["--like", "2", "--like", "3", "--metric", "dot"], "--metric is for one row"),
        (["--user", "product"], "need both columns"),
        (["--user", "product", "--item", "stars", "--unlike", "3"], "--unlike goes with --like"),
        (["--user", "id", "--item", "product"], "hit rates cannot be measured"),
        (["--user", "id", "--item", "product", "--for", "77"], "There is no user '77'"),
        (["--like", "2", "--sheet", "first"], "has no sheets"),
        (["--like", "2", "--prompt-name", "query"], "has no prompt 'query'"),
    ],
)
def test_what_cannot_be_recommended_is_said(run: Any, options: list[str], said: str) -> None:
    assert said in str(run(*SIMILAR, *options, code=1).exception)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--filter", "star>3"], "There is no column 'star'. Did you mean 'stars'?"),
        (["--filter", "stars"], "is not a filter"),
        (["--filter", '{"type": "xor"}'], "Invalid value for 'filter.type'"),
    ],
)
def test_filters_that_cannot_be(run: Any, options: list[str], said: str) -> None:
    assert said in str(run(*SEARCH, "any", *TABLE, *options, code=1).exception)


@pytest.fixture
def bought(tmp_path: Path) -> Path:
    """Three kinds of people, each of whom has bought four products of a kind of their own, and one
    of another, which they did not like."""
    kinds = {
        "kitchen": ["kettle", "knife", "frying pan", "coffee mill", "teapot", "oven glove"],
        "garden": ["hose", "rake", "seed tray", "lawn mower", "flower pot", "pruning shears"],
        "music": ["guitar", "piano", "drum", "violin bow", "trumpet", "microphone"],
    }
    draw = random.Random(0)
    rows = [["who", "what", "stars", "text"]]
    for number in range(30):
        kind = list(kinds)[number % 3]
        other = list(kinds)[(number + 1) % 3]
        own = draw.sample(kinds[kind], 4)
        for thing, stars in [*((one, 5) for one in own), (draw.choice(kinds[other]), 1)]:
            place = kind if stars == 5 else other
            rows.append([f"user {number}", thing, str(stars), f"{thing}, for the {place}"])
    path = tmp_path / "bought.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def test_users_get_what_they_have_not_and_it_is_measured(run: Any, bought: Path) -> None:
    place = ("explore", "similar", str(bought), *TABLE, "--user", "who", "--item", "what")
    out = bought.with_name("out.csv")
    options = ("--rating", "stars", "--for", "user 0", "--top", "2", "--json", "-o", str(out))
    answer = json.loads(run(*place, *options).stdout)
    rows = list(csv.DictReader(bought.open(encoding="utf-8", newline="")))
    had = {row["what"] for row in rows if row["who"] == "user 0"}
    kitchen = {row["what"] for row in rows if "kitchen" in row["text"]}
    assert {one["item"] for one in answer["data"]} == kitchen - had
    assert all(one["because"] in had for one in answer["data"])
    ranked = {row["what"]: row["rank"] for row in csv.DictReader(out.open(encoding="utf-8"))}
    assert ranked[answer["data"][0]["item"]] == "1"
    rates = answer["hit_rates"]
    assert (rates["users"], rates["k"]) == (30, 2)
    assert rates["ours"]["low"] > rates["popularity"]["high"] > 0
    shown = run(*place, "--top", "2", "--rating", "stars").stdout
    assert f"{rates['ours']['value']:.1%}" in shown
    assert "Of 30 users" in shown


def test_two_lines_of_python(tmp_path: Path) -> None:
    tw = Tunewright(tmp_path / "home")
    table = tw.explore.open(REVIEWS, column="text", model="builtin-static")
    first = table.search(
        "scared of the dark", top=1, where={"type": "gt", "key": "stars", "value": 3}
    )
    assert table.lines[first[0].row] == 33
    quality = table.search_quality({"scared of the dark": {first[0].row: 1.0}, "kettle": {15: 2.0}})
    assert quality.ndcg.value > 0.5
    assert not np.isnan(quality.ndcg.low)
