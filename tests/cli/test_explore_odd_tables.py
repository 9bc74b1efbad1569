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
WORDS = "good bad tea coffee broken late kettle cat dog bread sweet salty price cheap fast".split()
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
SAID: dict[tuple[str, str], str] = {
    ("one", "anomalies"): "There is 1 row with a vector. Anomalies need 10 or more",
    ("three", "anomalies"): "There are 3 rows with a vector. Anomalies need 10 or more",
    ("one_class", "classify"): "one class only",
    ("unique", "classify"): "different",
    ("no_columns", "classify"): "no row has a label",
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


@pytest.mark.parametrize("table", TABLES)
def test_no_part_ends_in_a_stack_trace(explore: Explore, table: str) -> None:
    said = {part: explore(part, table) for part in PARTS}
    whole = {"none": EMPTY, "blank": UNREAD}.get(table)
    for part, one in said.items():
        assert (whole or SAID.get((table, part), FINE)) in one, part
