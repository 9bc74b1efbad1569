"""A collection that is copied is the same elsewhere: or the copy says why not."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from copied import KILLED, filled, rows_of

from servers import REPOSITORY
from tunewright.errors import BadRequest, JobFailed, NotFound, TunewrightError
from tunewright.vectors import open_index
from tunewright.vectors.copying import copy, copying, ends, places
from tunewright.vectors.index import Described, Floats, Metric, Rows, VectorIndex


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "PAGE", 16 * 8)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.mark.parametrize(
    "metric",
    ["dot", *(pytest.param(one, marks=pytest.mark.slow) for one in ("cosine", "euclidean"))],
)
def test_to_a_file_and_back_all_is_the_same(tmp_path: Path, home: Path, metric: Metric) -> None:
    filled(tmp_path / "a", metric=metric)
    out = copy(f"{tmp_path}/a#old", tmp_path / "out.parquet", home=home)
    assert (out.rows, out.dimensions, out.metric, out.neighbours) == (100, 8, metric, None)
    back = copy(tmp_path / "out.parquet", f"local:{tmp_path}/b#new", home=home)
    assert back.neighbours
    assert (back.neighbours.queries, back.neighbours.k, back.neighbours.share) == (20, 10, 1)
    assert back.notes == ()
    assert rows_of(tmp_path / "b", "new") == rows_of(tmp_path / "a", "old")
    index = open_index(tmp_path / "b")
    assert index.describe("new") == Described(8, metric)
    index.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "home", "out.parquet"]
    assert not any((home / "copies").iterdir())


def test_what_stands_in_a_file_is_plain_to_other_programs(tmp_path: Path, home: Path) -> None:
    from pyarrow import parquet

    filled(tmp_path / "a")
    copy(f"{tmp_path}/a#old", tmp_path / "out.parquet", home=home)
    table = parquet.read_table(tmp_path / "out.parquet")
    names = table.schema.names
    assert (names[0], names[-1]) == ("id", "embedding")
    assert set(names[1:-1]) == {"n", "half", "even", "text", "a.b", "", "attributes"}
    assert str(table.schema.field("even").type) == "bool"
    assert str(table.schema.field("embedding").type) == "fixed_size_list<element: float>[8]"
    [row] = [row for row in table.to_pylist() if row["id"] == "a b"]
    assert (row["n"], row["text"], len(row["embedding"])) == (1.0, "t1\0é", 8)
    assert json.loads(row["attributes"]) == {
        "mixed": "1", "id": "of the user", "embedding": 1, "attributes": "x"
    }  # fmt: skip


def test_only_rows_that_match(tmp_path: Path, home: Path) -> None:
    filled(tmp_path / "a")
    some = {"type": "gte", "key": "n", "value": 50}
    done = copy(f"{tmp_path}/a#old", f"{tmp_path}/b", where=some, home=home)
    expected = {
        id: row for id, row in rows_of(tmp_path / "a", "old").items()
        if row[1].get("n", (0, 0))[1] >= 50
    }  # fmt: skip
    assert done.rows == len(expected) == 43
    assert rows_of(tmp_path / "b", "old") == expected, "called as the source is"
    nothing = copy(f"{tmp_path}/b#old", f"{tmp_path}/c", where={**some, "value": 1e6}, home=home)
    assert (nothing.rows, nothing.neighbours) == (0, None)
    copy(f"{tmp_path}/c#old", f"{tmp_path}/none.parquet", home=home)
    copy(f"{tmp_path}/none.parquet", f"{tmp_path}/d", home=home)
    index = open_index(tmp_path / "d")
    assert (index.describe("none"), index.count("none")) == (Described(8, "dot"), 0)
    index.close()


@pytest.mark.parametrize(
    "destination", ["b#new", pytest.param("out.parquet", marks=pytest.mark.slow)]
)
def test_killed_at_any_point_it_goes_on_and_loses_and_doubles_nothing(
    tmp_path: Path, home: Path, destination: str
) -> None:
    filled(tmp_path / "a")
    to = f"{tmp_path}/{destination}"
    run = [sys.executable, str(KILLED), str(home), f"{tmp_path}/a#old", to]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    *killed, last = json.loads(done.stdout)
    assert killed == [-9] * 10, "each point was struck"
    assert last == 100, "all had been written before the last run"
    if destination.endswith(".parquet"):
        copy(to, f"{tmp_path}/b#new", home=home)
    assert rows_of(tmp_path / "b", "new") == rows_of(tmp_path / "a", "old")
    assert not any((home / "copies").iterdir())
    assert not (tmp_path / "out.parquet.partial").exists()


def test_a_source_that_changes_is_told_and_the_same_call_copies_it_again(
    tmp_path: Path, home: Path
) -> None:
    filled(tmp_path / "a")
    places_of = f"{tmp_path}/a#old", f"{tmp_path}/b#new"

    def change(what: str, done: int, total: int) -> None:
        if (what, done) == ("Copying", 32):
            index = open_index(tmp_path / "a")
            index.upsert("old", ["é", "~"], np.full((2, 8), 2, np.float32), [{"new": 1}] * 2)
            index.close()

    with pytest.raises(JobFailed, match=r"has changed while it was copied") as found:
        copy(*places_of, home=home, progress=change)
    assert found.value.code == "copy_not_verified"
    assert copy(*places_of, home=home).rows == 100
    assert rows_of(tmp_path / "b", "new") == rows_of(tmp_path / "a", "old")


def test_a_destination_that_was_dropped_meanwhile_is_filled_from_the_first_row(
    tmp_path: Path, home: Path
) -> None:
    filled(tmp_path / "a")
    places_of = f"{tmp_path}/a#old", f"{tmp_path}/b#new"

    def stop(what: str, done: int, total: int) -> None:
        if (what, done) == ("Copying", 48):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(*places_of, home=home, progress=stop)
    index = open_index(tmp_path / "b")
    assert index.count("new") == 48
    index.drop("new")
    index.close()
    done = copy(*places_of, home=home)
    assert (done.resumed, done.rows) == (0, 100)


def test_where_others_have_put_their_rows_nothing_is_written(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of the rows of a copy that was stopped."""
    monkeypatch.setattr(copying, "MOST_OF_A_PAGE", 16)
    filled(tmp_path / "a")
    places_of = f"{tmp_path}/a#old", f"{tmp_path}/b#new"

    def stop(what: str, done: int, total: int) -> None:
        if (what, done) == ("Copying", 48):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(*places_of, home=home, progress=stop)
    index = open_index(tmp_path / "b")
    index.drop("new")
    index.close()
    filled(tmp_path / "b", "new", rows=65, metric="cosine")
    theirs = rows_of(tmp_path / "b", "new")
    with pytest.raises(BadRequest, match="has 65 rows already"):
        copy(*places_of, home=home)
    assert rows_of(tmp_path / "b", "new") == theirs


class Careless(ends.IntoIndex):
    """A destination with a fault of one kind."""

    def __init__(self, fault: str, index: VectorIndex, place: str) -> None:
        super().__init__(index, place, "new")
        self.fault = fault

    def put(self, number: int, rows: Rows) -> None:
        ids, vectors, said = (
            [*rows.ids],
            rows.vectors.copy(),
            [dict(one) for one in rows.attributes],
        )
        if number == 3:
            if self.fault == "loses a row":
                ids, vectors, said = ids[1:], vectors[1:], said[1:]
            if self.fault == "changes a vector":
                vectors[2, 1] = np.nextafter(vectors[2, 1], np.float32(9))
            if self.fault == "changes an attribute":
                said[2] |= {"n": "1"}
            if self.fault == "swaps two vectors":
                vectors[[1, 2]] = vectors[[2, 1]]
        super().put(number, Rows(ids, vectors, said))

    def search(self, queries: Floats, k: int) -> Any:
        found = super().search(queries, k)
        assert found
        if self.fault == "finds other rows":
            other = super().search(-queries, k)
            assert other
            return type(found)(other.ids, found.scores, _distances(self, queries, other.ids))
        if self.fault == "says another distance":
            found.distances[3, 2] += 0.01
        return found

    def count(self, where: Any) -> int:
        return super().count(where) - (self.fault == "counts another number")


def _distances(of: ends.IntoIndex, queries: Floats, ids: Sequence[Sequence[str]]) -> Floats:
    rows = {id: vector for page in of.pages() for id, vector in zip(page.ids, page.vectors,
            strict=True)}  # fmt: skip
    found = [[-float(query @ rows[id]) for id in row] for query, row in zip(queries, ids,
             strict=True)]  # fmt: skip
    return np.array(found, np.float32)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("loses a row", r"has 99 rows, and 100 were copied"),
        ("changes a vector", r"The vectors in .* are not those"),
        ("swaps two vectors", r"The vectors in .* are not those"),
        ("changes an attribute", r"The ids or attributes in .* are not those"),
        ("counts another number", r"counts 99 rows: 100 are there"),
        ("finds other rows", r"finds \d+% of the nearest rows of a sample"),
        ("says another distance", r"away from '"),
    ],
)
def test_what_is_not_the_same_fails_the_copy(
    tmp_path: Path, home: Path, fault: str, said: str
) -> None:
    filled(tmp_path / "a")
    index = open_index(tmp_path / "b")
    with pytest.raises(JobFailed, match=said) as found:
        copy(f"{tmp_path}/a#old", Careless(fault, index, "b"), home=home)
    assert found.value.code == "copy_not_verified"
    if fault == "loses a row":
        assert copy(f"{tmp_path}/a#old", Careless("", index, "b"), home=home).rows == 100
    index.close()


@pytest.fixture
def poor(monkeypatch: pytest.MonkeyPatch) -> str:
    """A database that can as little as one may."""
    monkeypatch.syspath_prepend(str(REPOSITORY / "tests" / "contracts"))
    from tunewright.vectors import INDEXES

    monkeypatch.setitem(INDEXES.own, "poor", "poor_database:open_poor")  # pyright: ignore[reportArgumentType]
    return "poor:of-copies"


def test_to_a_database_and_back(tmp_path: Path, home: Path, poor: str) -> None:
    filled(tmp_path / "a", metric="cosine")
    copy(f"{tmp_path}/a#old", f"{poor}#there", home=home)
    where = {"type": "lt", "key": "text", "value": "t5"}
    copy(f"{poor}#there", f"{tmp_path}/b", where=where, home=home)
    both = rows_of(tmp_path / "a", "old"), rows_of(tmp_path / "b", "there")
    assert both[1] == {
        id: row for id, row in both[0].items() if row[1].get("text", (0, "u"))[1] < "t5"
    }


def test_what_is_refused_before_anything_is_written(
    tmp_path: Path, home: Path, poor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from poor_database import Poor

    filled(tmp_path / "a")
    filled(tmp_path / "b", "new")
    old = f"{tmp_path}/a#old"

    def refused(source: Any, destination: Any, said: str, **more: Any) -> None:
        with pytest.raises(TunewrightError, match=said) as found:
            copy(source, destination, home=home, **more)
        assert isinstance(found.value, BadRequest | NotFound)

    refused(old, f"{tmp_path}/b#new", r"has 100 rows already\. Name a collection")
    refused(old, old, "copied to itself")
    refused(f"{tmp_path}/a", f"{tmp_path}/c#new", r"Which collection of .* It has old\. Give")
    refused(f"{tmp_path}/none", f"{tmp_path}/c#new", "It has none")
    refused(f"{tmp_path}/a#ol", f"{tmp_path}/c#new", "no collection 'ol'")
    refused(old, f"{tmp_path}/c#a b", "cannot be a collection's name")
    refused(old, f"{tmp_path}/c#", "Give PLACE#COLLECTION")
    refused(old, f"{tmp_path}/c.csv", r"ends in \.parquet")
    refused(old, f"{tmp_path}/no/c.parquet", "There is no folder")
    refused(old, f"{tmp_path}/c", "metric dot: it is kept", metric="cosine")
    refused(
        old, f"{tmp_path}/c", "Invalid type for 'where", where={"type": "eq", "key": 1, "value": 1}
    )
    refused(f"{tmp_path}/no.parquet", f"{tmp_path}/c", "There is no file")
    (tmp_path / "there.parquet").write_bytes(b"somebody's own")
    refused(old, tmp_path / "there.parquet", "has 1 rows already")

    def too_long(self: Any, collection: Any, ids: Sequence[str], *_: Any) -> str | None:
        return f"'{ids[-1]}' is not held here: make it shorter." if "~" in ids else None

    monkeypatch.setattr(Poor, "refusal", too_long)
    refused(old, f"{poor}#refused", "is not held here: make it shorter")
    index = open_index(poor)
    assert "refused" not in index.collections(), "nothing was written, nothing was made"
    assert not (tmp_path / "c").exists()


def table(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_a_table_with_vectors(tmp_path: Path, home: Path) -> None:
    """As `tunewright embed` and others write them."""
    rows = [
        {"id": n, "text": f"t{n}", "tags": [1, "a"], "in": {"deep": n, "no": None}, "none": None,
         "big": 2**60 + 1, "embedding": [1.0, n]}
        for n in range(40)
    ]  # fmt: skip
    file = table(tmp_path / "t.jsonl", rows)
    done = copy(file, f"{tmp_path}/b", home=home)
    assert (done.rows, done.metric) == (40, "cosine")
    assert len(done.notes) == 2
    found = rows_of(tmp_path / "b", "t")["7"]
    assert found[0] == [1, 7]
    assert found[1] == {
        "text": (str, "t7"), "tags": (str, '[1,"a"]'), "in.deep": (float, 7.0),
        "big": (str, str(2**60 + 1)),
    }  # fmt: skip
    copy(file, f"{tmp_path}/c", home=home, id="text", metric="euclidean")
    assert "t7" in rows_of(tmp_path / "c", "t")
    numbered = table(tmp_path / "n.jsonl", [{"embedding": "[1, 2]"}, {"embedding": [3, 4]}])
    copy(numbered, f"{tmp_path}/d", home=home)
    assert rows_of(tmp_path / "d", "n") == {"1": ([1, 2], {}), "2": ([3, 4], {})}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": "a", "embedding": [1]}] * 2, "an id twice: that of row 2"),
        ([{"id": "a", "embedding": [1]}, {"id": "b", "embedding": [1, 2]}], r"row 2: .* 2 numbers"),
        ([{"id": "a", "embedding": [1]}, {"id": "b"}], "row 2: .* not a list of numbers"),
        ([{"id": "a", "embedding": [1]}, {"id": None, "embedding": [1]}], "row 2: .*no id"),
        ([{"id": "a", "embedding": [1]}, {"id": "b", "embedding": [0]}], "rows 1 to 2, .* Row 1"),
        ([{"id": "a", "embedding": [1]}, {"id": "é" * 300, "embedding": [1]}], "at most 512"),
        ([{"id": "a", "embedding": [1], "a": {"b": 1}, "a.b": 2}], "would be the attribute 'a.b'"),
        ([{"id": "a", "text": "no vectors"}], "has no column `embedding`"),
    ],
)
def test_tables_that_are_refused(
    tmp_path: Path, home: Path, rows: Sequence[dict[str, Any]], said: str
) -> None:
    with pytest.raises(BadRequest, match=said):
        copy(table(tmp_path / "t.jsonl", rows), f"{tmp_path}/b", home=home)
    assert not (tmp_path / "b").exists()


def test_a_table_that_changed_since_begins_anew(tmp_path: Path, home: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if (what, done) == ("Copying", 48):
            raise KeyboardInterrupt

    rows = [{"id": n, "embedding": [n + 1.0] * 8} for n in range(100)]
    file = table(tmp_path / "t.jsonl", rows)
    for more in ({}, {"new": True}):
        table(file, [row | more for row in rows])
        with pytest.raises(KeyboardInterrupt):
            copy(file, f"{tmp_path}/b", home=home, progress=stop)
    done = copy(file, f"{tmp_path}/b", home=home)
    assert (done.resumed, done.rows) == (48, 100), "the same file as the second time"
    assert all(said["new"][1] for _, said in rows_of(tmp_path / "b", "t").values())


@pytest.mark.parametrize(
    ("given", "place", "name"),
    [
        ("chroma:/a/b#c", "chroma:/a/b", "c"),
        ("postgresql://u@h:1/d#my table", "postgresql://u@h:1/d", "my table"),
        ("/with#sign/x#c", "/with#sign/x", "c"),
        ("./plain", "./plain", ""),
    ],
)
def test_the_name_after_the_last_sign(given: str, place: str, name: str) -> None:
    assert places.split(given) == (place, name)
