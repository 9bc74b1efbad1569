"""Tables become training data, and no row is lost on the way."""

import csv
import datetime
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet
import pytest

from servers import needs_data
from tunewright.dataset.columns import Columns
from tunewright.dataset.preparation import Prepared, Split, prepare
from tunewright.errors import BadRequest, MissingExtra

PAIR = Columns("q", "a")
ROWS = [{"q": "Wie, bitte?", "a": 'So "sagt"\nman 你好'}, {"q": "7", "a": "8.5"}]
CHATS = [
    {"messages": [{"role": "user", "content": r["q"]}, {"role": "assistant", "content": r["a"]}]}
    for r in ROWS
]


def read(path: Path | None) -> list[Any]:
    assert path is not None
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def refused(done: Prepared) -> list[tuple[int, str]]:
    return [(row["line"], row["reason"]) for row in read(done.refusals)]


def write_csv(path: Path, delimiter: str = ",") -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, ["q", "a"], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)


def write_xlsx(path: Path) -> None:
    book = openpyxl.Workbook()
    book.create_sheet("Data")
    for row in (["q", None, "a"], ["Wie, bitte?", "x", ROWS[0]["a"]], [7, None, 8.5]):
        book["Data"].append(row)
    book.save(path)


def write_parquet(path: Path) -> None:
    pa.parquet.write_table(pa.Table.from_pylist([*ROWS]), path)


WRITERS = {
    "t.csv": write_csv,
    "t.tsv": lambda path: write_csv(path, "\t"),
    "semicolons.csv": lambda path: write_csv(path, ";"),
    "t.xlsx": write_xlsx,
    "t.parquet": write_parquet,
    "t.json": lambda path: path.write_text(json.dumps([ROWS[0], {"q": 7, "a": 8.5}])),
    "t.jsonl": lambda path: path.write_text("\n".join(map(json.dumps, ROWS))),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file_gives_the_same_chats(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    sheet = "Data" if name.endswith("xlsx") else None
    done = prepare(tmp_path / name, tmp_path / "out.jsonl", PAIR, sheet=sheet)
    assert read(done.out) == CHATS
    assert (done.rows, done.trained, done.refused.total()) == (2, 2, 0)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, "out.jsonl"])


def test_what_is_refused_is_named_with_its_line(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    lines = [b"one", b"", b'"x"y,no', b" ,blank", b"Gr\xfc\xdfe,latin", b"last,ok"]
    whole = [b"q,a", b'"two', b'lines",yes', *lines, b'q2,"never closed', b""]
    table.write_bytes(b"\n".join(whole))
    done = prepare(table, tmp_path / "out.jsonl", PAIR)
    assert [row["messages"][0]["content"] for row in read(done.out)] == ["two\nlines", "last"]
    found = refused(done)
    assert [line for line, _ in found] == [4, 5, 6, 7, 8, 10]
    reasons = ["1 columns", "row is empty", "not valid CSV", "'q' is empty", "UTF-8", "not valid"]
    for (_, said), part in zip(found, reasons, strict=True):
        assert part in said
    assert done.rows == done.trained + done.refused.total() == 8


@pytest.mark.parametrize(("encoding", "text"), [("GB18030", "服务很好"), ("CP1252", "Grüße 5 €")])
def test_a_table_in_another_encoding_names_the_command_that_converts_it(
    tmp_path: Path, encoding: str, text: str
) -> None:
    table = tmp_path / "my table.csv"
    table.write_bytes(f"q,a\nplain,yes\n{text},{text}\n".encode(encoding))
    [(line, said)] = refused(prepare(table, tmp_path / "first.jsonl", PAIR))
    assert (line, "not UTF-8" in said) == (3, True)
    [convert] = re.findall(rf"iconv -f {encoding} .*?csv' > '.*?csv'", said)
    subprocess.run(convert, shell=True, check=True)
    done = prepare(tmp_path / "my table.utf8.csv", tmp_path / "second.jsonl", PAIR)
    assert (done.trained, done.refused.total()) == (2, 0)
    assert read(done.out)[1]["messages"][0]["content"] == text


def test_bad_rows_of_json_and_of_sheets(tmp_path: Path) -> None:
    table = tmp_path / "t.jsonl"
    table.write_text('{"q": "x", "a": ["y"]}\n{"q": "x"}\n7\n{"q":\n\n{"q": true, "a": null}\n')
    with table.open("a") as file:
        file.write('{"q": true, "a": 3}\n')
    done = prepare(table, tmp_path / "out.jsonl", PAIR)
    assert read(done.out)[0]["messages"][0]["content"] == "true"
    parts = ["holds a list", "no column 'a'", "a number, not an object", "Not valid JSON", "empty"]
    for (at, (line, said)), part in zip(enumerate(refused(done)), [*parts, "'a' is"], strict=True):
        assert line == at + 1
        assert part in said
    book = openpyxl.Workbook()
    for row in (["q", "a"], [None, None], [datetime.datetime(2024, 5, 3), "=1+1"], ["d", 1]):
        assert book.active is not None
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    done = prepare(tmp_path / "t.xlsx", tmp_path / "sheet.jsonl", PAIR)
    # A formula that no program has computed yet has no value.
    assert [line for line, _ in refused(done)] == [2, 3]
    assert done.trained == 1


def test_conversations_and_a_column_for_each_role(tmp_path: Path) -> None:
    nested, flat = tmp_path / "t.parquet", tmp_path / "t.csv"
    own = [{"role": "system", "content": "Mine."}, {"role": "user", "content": "Hi", "name": "A"}]
    answer = {"role": "assistant", "content": "Yo"}
    whole = [[own[1], answer], [*own, answer]]
    pa.parquet.write_table(pa.table({"chat": [*whole, [own[1]]]}), nested)
    done = prepare(nested, tmp_path / "1.jsonl", Columns(messages=("chat",), system="Ours."))
    assert [row["messages"][0]["content"] for row in read(done.out)] == ["Ours.", "Mine."]
    assert read(done.out)[0]["messages"][1:] == whole[0]  # no "name": null
    assert refused(done)[0][0] == 3
    assert "nothing to train on" in refused(done)[0][1]

    flat.write_text("s,q,a\nBe kind.,Hi,Yo\n")
    roles = ("system=s", "user=q", "assistant=a")
    done = prepare(flat, tmp_path / "2.jsonl", Columns(messages=roles))
    said = [(m["role"], m["content"]) for m in read(done.out)[0]["messages"]]
    assert said == [("system", "Be kind."), ("user", "Hi"), ("assistant", "Yo")]


def test_prompts_end_in_the_separator_once_and_completions_begin_with_a_space(
    tmp_path: Path,
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("q,a\nHi,Yo\nHo ->, already\n")
    plain = prepare(table, tmp_path / "1.jsonl", Columns("q", "a", to="completion"))
    arrow = Columns("q", "a", to="completion", separator=" ->")
    assert read(plain.out)[0] == {"prompt": "Hi\n\n###\n\n", "completion": " Yo"}
    assert read(prepare(table, tmp_path / "2.jsonl", arrow).out) == [
        {"prompt": "Hi ->", "completion": " Yo"},
        {"prompt": "Ho ->", "completion": " already"},
    ]


def test_the_split_is_stratified_seeded_and_lets_nothing_leak(tmp_path: Path) -> None:
    labels = ["common"] * 60 + ["seldom"] * 30 + ["rare"] * 1
    rows = [f"{label} {at // 2},{label}" for at, label in enumerate(labels)]  # each asked twice
    table = tmp_path / "t.csv"
    table.write_text("q,a\n" + "\n".join(rows) + "\n")
    first, again, other = (
        prepare(table, tmp_path / f"{name}.jsonl", PAIR, Split(0.2, "a", seed))
        for name, seed in (("1", 7), ("2", 7), ("3", 8))
    )
    held = read(first.validation)
    answers = Counter(row["messages"][1]["content"] for row in held)
    assert answers == {"common": 12, "seldom": 6}
    assert first.without == ["rare"]
    assert (first.rows, first.trained, first.held_out) == (91, 73, 18)
    asked = [{json.dumps(r["messages"][0]) for r in part} for part in (held, read(first.out))]
    assert not asked[0] & asked[1]
    assert read(again.validation) == held
    assert read(other.validation) != held


def test_a_whole_table_that_cannot_be_used_writes_nothing(tmp_path: Path) -> None:
    def fails(name: str, content: bytes, columns: Columns = PAIR, split: Split | None = None):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadRequest) as caught:
            prepare(tmp_path / name, tmp_path / "out.jsonl", columns, split)
        assert not list(tmp_path.glob("out*"))
        return caught.value.message

    assert "no column 'a'. It has: q, b" in fails("1.csv", b"q,b\n1,2\n")
    assert "no line of column names" in fails("3.csv", b"")
    assert "two columns named 'q'" in fails("4.csv", b"q,q,a\n1,2,3\n")
    assert "cannot be read as .xlsx" in fails("5.xlsx", b"PK nonsense")
    assert "cannot be read as Parquet" in fails("6.parquet", b"nonsense")
    assert "None of 1 row can be used for training" in fails("9.jsonl", b'{"q": 1}')
    assert "ends in one of .csv" in fails("10.docx", b"")
    answers = Split(0.5, "label")
    assert "has a column 'label'" in fails("11.jsonl", b'{"q": "1", "a": "2"}', split=answers)
    (tmp_path / "1.validation.jsonl").write_text("mine")
    with pytest.raises(BadRequest, match="exists already"):
        prepare(tmp_path / "1.csv", tmp_path / "1.jsonl", PAIR)


def test_a_file_that_is_damaged_further_down_writes_nothing(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.parquet", tmp_path / "bad.parquet"
    rows = {"q": [f"{at}" * 50 for at in range(5000)], "a": ["b"] * 5000}
    pa.parquet.write_table(pa.table(rows), good, compression="gzip")
    bad.write_bytes(good.read_bytes()[:100] + bytes(2900) + good.read_bytes()[3000:])
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["q", "a"], *([f"x{at}", "y"] for at in range(5000))):
        book.active.append(row)
    book.save(tmp_path / "good.xlsx")
    with (
        zipfile.ZipFile(tmp_path / "good.xlsx") as whole,
        zipfile.ZipFile(tmp_path / "bad.xlsx", "w") as cut,
    ):
        for name in whole.namelist():
            part = whole.read(name)
            cut.writestr(name, part[: len(part) // 2] if "sheet1.xml" in name else part)
    for name in ("bad.parquet", "bad.xlsx"):
        with pytest.raises(BadRequest, match=f"{name} is damaged"):
            prepare(tmp_path / name, tmp_path / "out.jsonl", PAIR)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("arguments", "param"),
    [
        ({"prompt": "q"}, "prompt"),
        ({"prompt": "q", "completion": "a", "messages": ("m",)}, "messages"),
        ({"messages": ("user=q", "a")}, "messages"),
        ({"messages": ("m",), "to": "completion"}, "to"),
        ({"prompt": "q", "completion": "a", "to": "completion", "system": "x"}, "system"),
        ({"prompt": "q", "completion": "a", "separator": "->"}, "separator"),
    ],
)
def test_columns_that_do_not_go_together_are_refused_by_name(arguments: dict, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        Columns(**arguments)
    assert caught.value.param == param


def test_the_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    WRITERS["t.csv"](path := tmp_path / "t.parquet")
    with pytest.raises(MissingExtra, match=r"tunewright\[tables\]"):
        prepare(path, tmp_path / "out.jsonl", PAIR)


def _reviews(folder: Path) -> Path:
    """Unevenly spread scores; texts with all that CSV quotes."""
    path = folder / "reviews.csv"
    counts = {"1": 24, "2": 11, "3": 5, "4": 33, "5": 127}
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Id", "Score", "Text"])
        for score, count in counts.items():
            for at in range(count):
                table.writerow([at, score, f'Tin {at}, "as\nsold": naïve, {score} of 5; 東京'])
    return path


@pytest.mark.parametrize(
    "reviews", [_reviews, lambda _: needs_data("fine_food_reviews_1k.csv")], ids=["ours", "real"]
)
def test_reviews_as_chats_by_their_score(tmp_path: Path, reviews: Callable[[Path], Path]) -> None:
    table = reviews(tmp_path)
    columns = Columns("Text", "Score", system="How many stars?")
    done = prepare(table, tmp_path / "out.jsonl", columns, Split(0.1, "Score"))
    with table.open(encoding="utf-8", newline="") as file:
        scores = Counter(row["Score"] for row in csv.DictReader(file))
    held = Counter(row["messages"][-1]["content"] for row in read(done.validation))
    assert done.rows == done.trained + done.held_out == scores.total()
    assert held.total() == round(scores.total() / 10)
    for score, count in scores.items():
        assert abs(held[score] - count / 10) < 1
