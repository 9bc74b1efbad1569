"""Tables that people do have: every part of `tunewright explore` says what is wrong in a sentence,
or does what it can; none ends in a stack trace."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tunewright.cli.commands import app
from tunewright.errors import TunewrightError

COLUMNS = ("text", "label", "number", "user", "item")
WORDS = [*"abcdefgh", "tea", "coffee", "broken", "late", "kettle", "cat", "dog"]
Explore = Callable[..., str]


def text(at: int) -> str:
    return " ".join(WORDS[(at * step + step) % len(WORDS)] for step in (1, 2, 4, 7, 8, 11))


def rows(count: int, label: str = "ab", number: str = "{}") -> list[Sequence[object]]:
    return [
        (text(at), label[at % len(label)], number.format(at), f"u{at % 4}", f"i{at % 6}")
        for at in range(count)
    ]


TABLES: dict[str, list[Sequence[object]]] = {
    "none": [],
    "blank": [("", "a", 1, "u", "i")] * 5,
    "one": rows(1),
    "three": rows(3),
    "same": [("the same tea", "a", 1, "u", "i")] * 30,
    "plain": rows(40),
    "one_class": rows(40, "a", "7"),
    "unique": [(*row[:1], f"label {at}", *row[2:]) for at, row in enumerate(rows(40))],
    "commas": rows(40, number="{},5"),
    "no_columns": [(row[0], "", "", "", "") for row in rows(40)],
}
PARTS: dict[str, tuple[str, ...]] = {
    "search": ("good tea",),
    "similar": ("--like", "2"),
    "clusters": (),
    "map": ("--method", "pca"),
    "anomalies": (),
    "diversity": (),
    "classify": ("--label", "label"),
    "report": ("--label", "label", "--user", "user", "--item", "item", "-o", "report.html"),
}
FINE = "fine"
EMPTY = "has no rows"
UNREAD = "has no row with a text of which builtin-static knows a token. Line 2: it is empty"
FEW = "has no class with 3 rows or more"
SAID: dict[tuple[str, str], str] = {
    ("one", "anomalies"): "There is 1 row with a vector. Anomalies need 10 or more",
    ("three", "anomalies"): "There are 3 rows with a vector. Anomalies need 10 or more",
    ("one", "classify"): "has one class only: 1 row with 'a'",
    ("three", "classify"): FEW,
    ("same", "classify"): "has one class only: 30 rows with 'a'",
    ("one_class", "classify"): "has one class only: 40 rows with 'a'",
    ("unique", "classify"): "has 40 different values in 40 rows: it tells rows apart",
    ("no_columns", "classify"): "The column 'label' has no label",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("odd") / "home"


@pytest.fixture
def explore(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Explore:
    """What the command line says: "fine", or its one sentence."""
    monkeypatch.chdir(tmp_path)

    def run(part: str, table: str, *more: str) -> str:
        with Path("table.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *TABLES[table]])
        words = ["explore", part, "table.csv", *(more or PARTS[part]), "--model", "builtin-static"]
        done = CliRunner().invoke(app, [*words, "--home", str(home)])
        error: Any = done.exception
        assert error is None or isinstance(error, TunewrightError), repr(error)
        return error.message if error else FINE

    return run


SHORT = ("none", "blank", "one", "three", "same")


@pytest.mark.parametrize(
    "table",
    [*SHORT, *(pytest.param(one, marks=pytest.mark.slow) for one in TABLES if one not in SHORT)],
)
def test_no_part_ends_in_a_stack_trace(explore: Explore, table: str) -> None:
    said = {part: explore(part, table) for part in PARTS}
    whole = {"none": EMPTY, "blank": UNREAD}.get(table)
    for part, one in said.items():
        assert (whole or SAID.get((table, part), FINE)) in one, part


@pytest.mark.parametrize(
    ("part", "more", "said"),
    [
        ("clusters", ("--k", "50"), "50"),
        ("similar", ("--like", "999"), "Line 999 cannot be used: the table has no row"),
        ("report", ("--number", "numbr", "-o", "r.html"), "Did you mean 'number'?"),
        ("report", ("--number", "user", "-o", "r.html"), "has no number: line 2 holds 'u0'"),
        ("report", ("-o", "/nowhere/r.html"), "There is no folder /nowhere"),
        ("report", ("-o", "."), "expected a name ending in .html"),
        ("classify", ("--label", "numbr >= 4"), "There is no column 'numbr'"),
        ("anomalies", ("--share", "0.7"), "below 0.5"),
    ],
)
def test_what_cannot_be_asked_of_a_table_is_said(
    explore: Explore, part: str, more: tuple[str, ...], said: str
) -> None:
    assert said in explore(part, "plain", *more)


def test_a_number_with_a_decimal_comma_is_none_and_that_is_said(explore: Explore) -> None:
    said = explore("report", "commas", "--number", "number", "-o", "r.html")
    assert "has no number: line 2 holds '0,5'" in said
