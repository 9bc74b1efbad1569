"""A whole table through `tw.embeddings.table`: what is read, what is written, what is refused."""

import csv
import gzip
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tunewright import Tunewright
from tunewright.embedding import distinct
from tunewright.embedding.recent import Recent, keys_of
from tunewright.errors import BadRequest, Busy, StorageFull
from tunewright.resources import embedding_tables
from tunewright.resources.table_plans import Partial
from tunewright.tables import writers
from tunewright.tables.cells import written
from tunewright.tables.columns import types_of
from tunewright.tables.saved import Saved, save, saved
from tunewright.tables.texts import Texts

STATIC = "builtin-static"


@pytest.fixture(scope="module")
def tw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tunewright]:
    found = Tunewright(tmp_path_factory.mktemp("home"))
    yield found
    found.close()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def vectors(tw: Tunewright, *texts: str, model: str = STATIC) -> np.ndarray:
    found = tw.embeddings.create(model=model, input=list(texts)).data
    return np.array([each.embedding for each in found], np.float32)


def test_every_output_holds_the_table_and_the_vectors_of_the_api(
    tw: Tunewright, tmp_path: Path
) -> None:
    rows = [{"title": "Tea", "text": "good, hot", "stars": n} for n in range(3)]
    rows += [{"title": "Cat", "text": 'said "meow"\nagain', "stars": 4.5, "extra": ["a"]}]
    table = jsonl(tmp_path / "t.jsonl", *rows)
    texts = [f"{row['title']}: {row['text']}" for row in rows]
    expected = vectors(tw, *texts)
    for ending in ("parquet", "csv", "jsonl", "npy"):
        out = tmp_path / f"out.{ending}"
        done = tw.embeddings.table(table, out, template="{title}: {text}", model=STATIC)
        assert (done.embedded, done.computed, done.left_out) == (4, 2, 0)
        read_back = saved(out) or Saved()
        got_texts, got = read_back.texts, read_back.vectors
        assert got_texts == texts
        np.testing.assert_array_equal(got, expected)
        assert not list(tmp_path.glob("*.partial"))
    assert lines(tmp_path / "out.jsonl")[3].items() >= rows[3].items()
    assert lines(tmp_path / "out.texts.jsonl")[3] == {"line": 4, "text": texts[3]}
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found.schema.field("embedding").type == pa.list_(pa.float32(), 256)
    assert found.schema.field("stars").type == pa.float64()
    said = found.schema.metadata
    assert said[b"tunewright.model"] == b"builtin-static"
    assert said[b"tunewright.fingerprint"].decode() == done.fingerprint
    assert said[b"tunewright.precision"] == b"exact"
    assert found["extra"].to_pylist() == [None, None, None, '["a"]']


def test_the_csv_is_read_back_as_the_guide_reads_it(tw: Tunewright, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = tmp_path / "reviews.csv"
    table.write_text("Id,Text\n7,first one\n8,another\n")
    tw.embeddings.table(table, tmp_path / "out.csv", column="Text", model=STATIC)
    frame = pandas.read_csv(tmp_path / "out.csv", index_col=0)
    frame["embedding"] = frame.embedding.apply(eval).apply(np.array)
    np.testing.assert_allclose(
        np.stack(list(frame.embedding)), vectors(tw, "first one", "another"), atol=1e-7
    )
    assert list(frame.index) == [7, 8]


def test_a_parquet_keeps_its_columns_as_they_are(tw: Tunewright, tmp_path: Path) -> None:
    table = pa.table(
        {
            "when": pa.array([1, 2, 3, 4], pa.timestamp("ns")),
            "kind": pa.array(["a", "b", "a", None]).dictionary_encode(),
            "inner": [{"x": [1]}, {"x": []}, None, {"x": [2, 3]}],
            "text": ["one", "", "two", "one"],
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    out = tmp_path / "out.parquet"
    done = tw.embeddings.table(tmp_path / "t.parquet", out, model=STATIC)
    found = parquet.read_table(out)
    assert found.drop_columns("embedding").equals(table.take([0, 2, 3]))
    assert (done.embedded, done.computed, done.left_out) == (3, 2, 1)
    assert lines(Path(done.left_out_file or "")) == [{"line": 2, "reason": "it is empty"}]


def test_rows_without_a_vector_are_all_told(tw: Tunewright, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    rows = ['{"text": "one"}', "", "{broken", '{"other": 1}', '{"text": " "}']
    path.write_text("\n".join([*rows, '{"text": "บริการแย่มาก"}', '{"text": "two"}\n']), "utf-8")
    done = tw.embeddings.table(path, tmp_path / "out.jsonl", model=STATIC)
    assert (done.rows, done.embedded, done.left_out) == (7, 2, 5)
    told = {each["line"]: each["reason"] for each in lines(Path(done.left_out_file or ""))}
    assert list(told) == [2, 3, 4, 5, 6]
    assert told[2] == "The row is empty."
    assert told[3].startswith("Not valid JSON at character 2")
    assert told[4] == "it has no column 'text'"
    assert told[5] == "it is empty"
    assert told[6] == distinct.NO_TOKEN
    assert [row["text"] for row in lines(tmp_path / "out.jsonl")] == ["one", "two"]


def test_a_packed_table_with_a_cell_that_is_not_text(tw: Tunewright, tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"name,text\na,one\n\xff,two\nc,three\n"))
    done = tw.embeddings.table(path, tmp_path / "out.csv", model=STATIC)
    assert (done.embedded, done.left_out) == (2, 1)
    assert lines(Path(done.left_out_file or "")) == [{"line": 3, "reason": "it is not UTF-8"}]


def test_a_table_that_changes_while_it_is_read(
    tw: Tunewright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_tables, "MANY", 4)
    table = jsonl(tmp_path / "t.jsonl", *({"text": f"tea {n}"} for n in range(20)))
    out = tmp_path / "out.csv"
    steps = tw.embeddings.tables.steps(table, out, model=STATIC)
    next(steps)
    with table.open("a") as file:
        file.write('{"text": "more"}\n')
    with pytest.raises(BadRequest, match="changed while it was read"):
        list(steps)
    assert not out.exists()


def test_texts_longer_than_a_request_may_be(tw: Tunewright, tmp_path: Path) -> None:
    long = "tea cat " * 30_000  # 60,000 tokens; one piece of it is tokenized at a time
    table = jsonl(tmp_path / "t.jsonl", {"text": long}, {"text": "tea cat"})
    done = tw.embeddings.table(table, tmp_path / "out.npy", model=STATIC)
    first, second = np.load(tmp_path / "out.npy")
    assert done.tokens == 60_002
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_what_is_remembered_follows_from_the_texts_alone() -> None:
    recent, again = Recent(slots=8), Recent(slots=8)
    texts = [f"text {n % 30}" for n in range(200)]
    keys = keys_of(texts)
    for start in range(0, 200, 20):
        recent.remember(keys[start : start + 20], np.arange(start, start + 20))
    again.remember(keys, np.arange(200))
    np.testing.assert_array_equal(recent.find(keys), again.find(keys))
    all_of_them = Recent(slots=256)
    all_of_them.remember(keys, np.arange(200))
    assert all_of_them.find(keys[:30]).tolist() == [*range(180, 200), *range(170, 180)]
    known = recent.find(keys)
    assert 1 <= len(set(known.tolist()) - {-1}) <= 8
    for at, place in enumerate(known):
        assert place < 0 or texts[place] == texts[at]


def test_equal_texts_are_computed_once_across_batches(
    tw: Tunewright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_tables, "MANY", 4)
    table = jsonl(tmp_path / "t.jsonl", *({"text": f"tea {n % 7}"} for n in range(50)))
    done = tw.embeddings.table(table, tmp_path / "out.npy", model=STATIC)
    assert (done.embedded, done.computed) == (50, 7)
    found = np.load(tmp_path / "out.npy")
    expected = vectors(tw, *(f"tea {n % 7}" for n in range(50)))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"column": "Texts"}, r"no column 'Texts'\. Did you mean 'text'\? .* has: title, text"),
        ({"column": "title,price"}, r"no column 'price'\."),
        ({"template": "{title}: {text"}, r"template cannot be read"),
        ({"template": "{title!r}"}, r"has \{title!r\}; a column is written as \{name\}"),
        ({"template": "{title.__class__}"}, r"no column 'title\.__class__'"),
        ({"template": "nothing"}, r"names no column, such as \{title\}"),
        ({"template": "{title}", "column": "text"}, r"'text' is in one of --column and --template"),
        ({"model": "gpt-3.5-turbo"}, "is a chat model"),
        ({"sheet": "one"}, "has no sheets"),
        ({"prompt_name": "query"}, "has no prompt 'query'"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    tw: Tunewright, tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("title,text\na,b\n")
    with pytest.raises(BadRequest, match=said):
        tw.embeddings.table(table, tmp_path / "out.csv", **{"model": STATIC, **given})
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_outputs_that_cannot_be(tw: Tunewright, tmp_path: Path) -> None:
    table = jsonl(tmp_path / "t.jsonl", {"text": "one"})
    embed = tw.embeddings.table
    with pytest.raises(BadRequest, match=r"ending in one of \.jsonl"):
        embed(table, tmp_path / "out.txt", model=STATIC)
    with pytest.raises(BadRequest, match="no folder"):
        embed(table, tmp_path / "none" / "out.csv", model=STATIC)
    (tmp_path / "out.csv").write_text("mine")
    with pytest.raises(BadRequest, match=r"exists already.*--overwrite"):
        embed(table, tmp_path / "out.csv", model=STATIC)
    assert (tmp_path / "out.csv").read_text() == "mine"
    assert embed(table, tmp_path / "out.csv", model=STATIC, overwrite=True).embedded == 1
    with pytest.raises(BadRequest, match="a column 'embedding' already"):
        embed(tmp_path / "out.csv", tmp_path / "again.csv", model=STATIC)
    with pytest.raises(BadRequest, match="is the table itself"):
        embed(table, table, model=STATIC, overwrite=True)
    empty = jsonl(tmp_path / "empty.jsonl", {"text": " "})
    with pytest.raises(BadRequest, match=r"no row with a text .* first row: it is empty"):
        embed(empty, tmp_path / "none.csv", model=STATIC)
    assert not list(tmp_path.glob("*.partial"))


def test_a_completed_output_is_not_computed_again(tw: Tunewright, tmp_path: Path) -> None:
    table, out = jsonl(tmp_path / "t.jsonl", {"text": "one"}), tmp_path / "out.csv"
    assert not tw.embeddings.table(table, out, model=STATIC).before
    again = tw.embeddings.table(table, out, model=STATIC)
    assert (again.before, again.embedded) == (True, 1)
    with pytest.raises(BadRequest, match="exists already"):
        tw.embeddings.table(table, out, model="builtin-mini")
    out.write_text("somebody else's")
    with pytest.raises(BadRequest, match="exists already"):
        tw.embeddings.table(table, out, model=STATIC)


def begun(tw: Tunewright, table: Path, out: Path, **given: Any) -> None:
    """A run of which the first batch was computed."""
    steps = tw.embeddings.tables.steps(table, out, model=STATIC, **given)
    next(steps)
    next(steps)
    steps.close()


def test_another_table_model_or_column_is_noticed(
    tw: Tunewright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_tables, "MANY", 4)
    rows = [{"title": f"t {n}", "text": f"tea {n}"} for n in range(20)]
    table, out = jsonl(tmp_path / "t.jsonl", *rows), tmp_path / "out.csv"
    begun(tw, table, out)
    for other, what in [
        ({"model": "builtin-mini"}, "the model and the model's weights"),
        ({"column": "title"}, "the columns"),
        ({"template": "{text}!"}, "the template"),
    ]:
        with pytest.raises(BadRequest, match=rf"another command: {what}.*--overwrite"):
            tw.embeddings.table(table, out, **{"model": STATIC, **other})
    jsonl(table, *rows[:19])
    with pytest.raises(BadRequest, match="the table differs"):
        tw.embeddings.table(table, out, model=STATIC)
    done = tw.embeddings.table(table, out, model=STATIC, overwrite=True)
    assert (done.embedded, done.computed) == (19, 19)


def test_two_processes_do_not_write_one_output(tw: Tunewright, tmp_path: Path) -> None:
    table, out = jsonl(tmp_path / "t.jsonl", {"text": "one"}), tmp_path / "out.csv"
    steps = tw.embeddings.tables.steps(table, out, model=STATIC)
    next(steps)
    with pytest.raises(Busy, match="Another process is writing"):
        tw.embeddings.table(table, out, model=STATIC)
    assert sum(1 for _ in steps) >= 1
    assert out.exists()


def test_a_full_disk_stops_it_and_it_goes_on(
    tw: Tunewright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_tables, "MANY", 4)
    table = jsonl(tmp_path / "t.jsonl", *({"text": f"tea {n}"} for n in range(20)))
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    tw.embeddings.table(table, whole, model=STATIC)
    plain, calls = Partial.add, []

    def full(self: Partial, *given: Any) -> None:
        calls.append(self)
        if len(calls) == 3:
            raise StorageFull("The disk that holds it is full.")
        plain(self, *given)

    monkeypatch.setattr(Partial, "add", full)
    with pytest.raises(StorageFull, match="What was computed is kept"):
        tw.embeddings.table(table, out, model=STATIC)
    done = tw.embeddings.table(table, out, model=STATIC)
    assert (len(calls), done.computed) == (6, 20)  # of five batches, the third twice
    assert out.read_bytes() == whole.read_bytes()


def test_rows_stream_with_their_vectors(tw: Tunewright, tmp_path: Path) -> None:
    table = jsonl(tmp_path / "t.jsonl", {"text": "one", "n": 1}, {"text": ""}, {"text": "two"})
    found = list(tw.embeddings.tables.rows(table, model=STATIC))
    assert [(row.line, row.text, row.reason) for row in found] == [
        (1, "one", ""),
        (2, "", "it is empty"),
        (3, "two", ""),
    ]
    expected = vectors(tw, "one", "two")
    np.testing.assert_array_equal([found[0].vector, found[2].vector], expected)
    assert found[0].values == {"text": "one", "n": 1}


NAMES = st.text("abcÄ语,\"'{} ", min_size=1, max_size=5)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(-1e18, 1e18) | st.just(math.nan),
    TEXTS,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.dictionaries(NAMES, CELLS, max_size=4), min_size=1, max_size=6),
    ending=st.sampled_from([".jsonl", ".csv", ".parquet"]),
)
def test_writers_keep_what_they_are_given(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], ending: str
) -> None:
    rows = [{**row, "text": f"row {at}"} for at, row in enumerate(rows)]
    rows = [{k: v for k, v in row.items() if k != "embedding"} for row in rows]
    made = np.linspace(-1, 1, 3 * len(rows), dtype=np.float32).reshape(len(rows), 3)
    types = types_of(rows)
    out = Memory()
    about = writers.About(list(types), 3, len(rows), combined=False, types=types)
    writer = writers.WRITERS[ending](out, about, None)
    texts = [row["text"] for row in rows]
    writer.write(writers.Rows(range(len(rows)), rows, texts, made))
    writer.close()
    path = tmp_path_factory.mktemp("written") / f"out{ending}"
    path.write_bytes(out.data.getvalue())
    read_back = saved(path, "text") or Saved()
    got_texts, got = read_back.texts, read_back.vectors
    assert got_texts == texts
    np.testing.assert_array_equal(got, made)
    if ending == ".parquet":
        for row, read in zip(rows, parquet.read_table(path).to_pylist(), strict=True):
            for name, value in row.items():
                assert same(value, read[name]), (name, value, read[name], types[name])
    if ending == ".csv":
        table = list(csv.reader(io.StringIO(path.read_text("utf-8"), newline="")))
        assert table[0] == [*types, "embedding"]
        assert len(table) == len(rows) + 1


def same(value: Any, read: Any) -> bool:
    if isinstance(value, float) and math.isnan(value):
        return read == "" or (isinstance(read, float) and math.isnan(read))
    if isinstance(read, str) and not isinstance(value, str):
        return read == written(value)
    return value == read


class Memory:
    def __init__(self) -> None:
        self.data = io.BytesIO()
        self.bytes = 0

    def write(self, data: bytes) -> None:
        self.bytes += self.data.write(data)


def test_texts_are_saved_at_once_and_read_back(tmp_path: Path) -> None:
    made = np.eye(3, dtype=np.float32)
    for ending in writers.WRITERS:
        save(tmp_path / f"a{ending}", ["x", "y", "z"], made)
        found = saved(tmp_path / f"a{ending}") or Saved()
        first = 2 if ending == ".csv" else 1  # its line of column names is one, too
        assert (found.texts, found.lines) == (["x", "y", "z"], [*range(first, first + 3)])
        np.testing.assert_array_equal(found.vectors, made)


def test_texts_of_several_columns() -> None:
    several = Texts.read("title, text", None, ["title", "text"])
    assert several.of({"title": "A", "text": "b"}) == "title: A; text: b"
    assert several.of({"title": None, "text": "b"}) == "text: b"
    assert Texts.read("a,b", None, ["a,b"]).of({"a,b": 3}) == "3"
    braces = Texts.read(None, "{{{x}}}", ["x"])
    assert braces.of({"x": "1"}) == "{1}"
    assert re.fullmatch("there is no.*", "there is none")
