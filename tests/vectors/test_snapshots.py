"""A collection's files beside its store: used, followed, written anew, and never believed."""

import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest

from tunewright.errors import Corrupt
from tunewright.vectors.filters import parse
from tunewright.vectors.index import Floats
from tunewright.vectors.local import LocalIndex, files, keeping, rows, segments, snapshots
from tunewright.vectors.local.collection import Collection

D = 8
CANARY = "canary-4711"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 64 rows; what the thread would do is done by the tests."""
    monkeypatch.setattr(rows, "PART", 64)
    monkeypatch.setattr(keeping.Keeper, "ask", lambda *_: None)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LocalIndex]:
    opened = LocalIndex(tmp_path)
    opened.create("c", D)
    yield opened
    opened.close()


def vectors(count: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=(count, D)).astype(np.float32)


def fill(index: LocalIndex, start: int, end: int) -> None:
    ids = [f"row-{number:05}." for number in range(start, end)]
    attributes = [{"k": number % 5, "word": f"{CANARY}-{number}"} for number in range(start, end)]
    index.upsert("c", ids, vectors(end)[start:end], attributes)


def collection(index: LocalIndex) -> Collection:
    with index._opened.using("c") as found:
        return found


def keep(index: LocalIndex) -> None:
    assert collection(index).keep()


def parts(index: LocalIndex) -> list[tuple[bool, int]]:
    """Of each: whether it lies in a file, and its rows."""
    return [(part.file is not None, len(part)) for part in collection(index).view().parts]


def same_as_the_store(index: LocalIndex) -> None:
    """What a search finds among all rows is what a page of the store tells."""
    there = index.read("c", limit=10_000)
    if there.ids:
        hits = index.search("c", there.vectors, 1)
        assert [ids[0] for ids in hits.ids] == there.ids
        assert sorted(index.search("c", there.vectors[:1], 10_000).ids[0]) == there.ids
    for number in range(5):
        expected = [a for a in there.attributes if a.get("k") == number]
        assert index.count("c", parse({"type": "eq", "key": "k", "value": number})) == len(expected)


def listed(folder: Path) -> list[Path]:
    return sorted(files.segments(folder))


def test_full_parts_are_written_and_used(index: LocalIndex, tmp_path: Path) -> None:
    fill(index, 0, 150)
    assert parts(index) == [(False, 64), (False, 64), (False, 22)]
    keep(index)
    assert parts(index) == [(True, 64), (True, 64), (False, 22)]
    same_as_the_store(index)
    fill(index, 150, 170)
    index.delete("c", ids=["row-00001.", "row-00149.", "row-00160."])
    index.upsert("c", ["row-00002."], None, [{"k": 7}])
    same_as_the_store(index)
    other = LocalIndex(tmp_path)
    same_as_the_store(other)
    assert parts(other)[:2] == [(True, 64), (True, 64)]
    other.close()


def test_an_unchanged_file_stays(index: LocalIndex, tmp_path: Path) -> None:
    fill(index, 0, 150)
    keep(index)
    first, second = listed(tmp_path / "c")
    index.delete("c", ids=["row-00100."])
    keep(index)
    assert first in listed(tmp_path / "c")
    assert second not in listed(tmp_path / "c")
    same_as_the_store(index)
    assert parts(index) == [(True, 64), (True, 63), (False, 22)]


def test_small_neighbours_become_one_file(index: LocalIndex, tmp_path: Path) -> None:
    fill(index, 0, 200)
    keep(index)
    index.delete("c", ids=[f"row-{number:05}." for number in range(20, 120)])
    keep(index)
    same_as_the_store(index)
    assert parts(index) == [(True, 28), (True, 64), (False, 8)]
    index.delete("c", where=parse({"type": "ne", "key": "nothing", "value": 0}))
    keep(index)
    assert listed(tmp_path / "c") == []
    same_as_the_store(index)
    fill(index, 0, 70)
    keep(index)
    same_as_the_store(index)


def test_what_is_deleted_is_in_no_file(index: LocalIndex, tmp_path: Path) -> None:
    fill(index, 0, 150)
    keep(index)

    def holds(text: bytes) -> list[str]:
        return [path.name for path in (tmp_path / "c").iterdir() if text in path.read_bytes()]

    rows_of = {"row-00003.": 3, "row-00100.": 100, "row-00149.": 149}
    secrets = [
        secret
        for id, row in rows_of.items()
        for secret in (id.encode(), f'{CANARY}-{row}"'.encode(), vectors(150)[row].tobytes())
    ]
    assert all(holds(secret) for secret in secrets)
    index.delete("c", ids=["row-00003."])
    index.delete("c", where=parse({"type": "eq", "key": "word", "value": f"{CANARY}-100"}))
    index.upsert("c", ["row-00149."], np.ones((1, D), np.float32), [{}])
    keep(index)
    secrets.remove(b"row-00149.")  # it is there, with another vector
    assert [holds(secret) for secret in secrets] == [[]] * len(secrets)
    index.drop("c")
    assert [path.name for path in (tmp_path / "c").iterdir()] == []


def test_a_reader_goes_on_with_the_files_that_were_removed(index: LocalIndex) -> None:
    fill(index, 0, 150)
    keep(index)
    before = collection(index).view()
    index.delete("c", ids=["row-00003."])
    keep(index)
    place = int(np.flatnonzero(before.parts[0].slots == 4)[0])
    assert before.ids(np.array([place])) == ["row-00003."]
    assert (before.vectors(np.array([place])) == vectors(150)[3]).all()


def test_another_process_uses_what_one_has_written(index: LocalIndex, tmp_path: Path) -> None:
    other = LocalIndex(tmp_path)
    other.create("c", D)
    fill(index, 0, 150)
    assert parts(other)[0] == (False, 64)
    keep(index)
    keep(other)
    assert [part.file for part in collection(other).view().parts] == [
        part.file for part in collection(index).view().parts
    ]
    index.delete("c", ids=["row-00003."])
    keep(index)
    same_as_the_store(other)
    keep(other)
    same_as_the_store(other)
    assert parts(other) == parts(index)
    other.close()


def test_one_that_slept_begins_anew_where_deletions_are_forgotten(
    index: LocalIndex, tmp_path: Path
) -> None:
    other = LocalIndex(tmp_path)
    fill(index, 0, 150)
    same_as_the_store(other)
    for number in range(4):  # each list forgets what the one before it had seen
        index.delete("c", ids=[f"row-{number:05}."])
        keep(index)
    reading = sqlite3.connect(tmp_path / "c" / files.STORE)
    (forgotten,) = reading.execute("SELECT forgotten FROM state").fetchone()
    reading.close()
    view = other._opened._open["c"].collection._reader.view
    assert view.sequence < forgotten
    same_as_the_store(other)
    other.close()


@pytest.mark.parametrize(
    "damage",
    [
        *("a bit", "list"),
        *(
            pytest.param(damage, marks=pytest.mark.slow)
            for damage in ("cut", "header", "gone", "empty", "list gone")
        ),
    ],
)
def test_damaged_files_are_not_used_and_written_anew(
    index: LocalIndex, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    fill(index, 0, 150)
    keep(index)
    path = listed(tmp_path / "c")[0]
    if damage.startswith("list"):
        path = tmp_path / "c" / files.LIST
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "header":
        data[100] ^= 1
    elif damage == "empty":
        data.clear()
    else:
        data[-200] ^= 1
    index.close()
    path.unlink()
    if "gone" not in damage:
        path.write_bytes(data)
    again = LocalIndex(tmp_path)
    with caplog.at_level(logging.WARNING):
        same_as_the_store(again)
    assert ("are damaged" in caplog.text) == (damage != "list gone")
    assert all(not in_file for in_file, _ in parts(again))
    keep(again)
    assert parts(again) == [(True, 64), (True, 64), (False, 22)]
    same_as_the_store(again)
    again.close()


def test_files_of_another_history_are_not_used(index: LocalIndex, tmp_path: Path) -> None:
    """A backup of the store is put in its place, and goes on differently."""
    fill(index, 0, 20)
    index.close()
    folder = tmp_path / "c"
    backup = (folder / files.STORE).read_bytes()
    index = LocalIndex(tmp_path)
    fill(index, 20, 150)
    keep(index)
    index.close()
    (folder / files.STORE).write_bytes(backup)
    again = LocalIndex(tmp_path)
    same_as_the_store(again)
    assert again.count("c") == 20
    for number in range(5):
        again.upsert("c", [f"new {number}"], vectors(1, seed=100 + number), [{}])
    same_as_the_store(again)
    fill(again, 200, 300)
    keep(again)
    same_as_the_store(again)
    again.close()


@pytest.mark.parametrize(
    "damage",
    [
        *("middle", "a vector"),
        *(pytest.param(damage, marks=pytest.mark.slow) for damage in ("header", "cut", "an id")),
    ],
)
def test_a_damaged_store_is_refused_with_the_remedy(tmp_path: Path, damage: str) -> None:
    index = LocalIndex(tmp_path)
    index.create("c", D)
    ids = [f"an-id-{number:05}" for number in range(3000)]
    index.upsert("c", ids, vectors(3000), [{"k": "x" * 50}] * 3000)
    index.close()
    path = tmp_path / "c" / files.STORE
    data = bytearray(path.read_bytes())
    if damage == "header":
        data[:16] = bytes(16)
    elif damage == "middle":
        data[len(data) // 2 : len(data) // 2 + 16384 * 4] = np.random.default_rng(0).bytes(65536)
    elif damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "a vector":
        data[data.index(vectors(3000)[77].tobytes()) + 5] ^= 1
    else:
        data[data.index(b"an-id-00077")] ^= 1
    path.write_bytes(data)
    again = LocalIndex(tmp_path)
    with pytest.raises(Corrupt, match=r"index\.db is damaged .*backup") as refused:
        again.search("c", vectors(1), 3)
    assert refused.value.code == "vector_index_corrupt"
    again.close()
    assert path.read_bytes() == data, "nothing repairs it by itself"


def test_a_file_holds_what_was_given(index: LocalIndex, tmp_path: Path) -> None:
    fill(index, 0, 64)
    odd = ["é", "東京", "a\0b"]
    index.upsert("c", odd, vectors(3, seed=5), [{"ключ": "é"}, {}, {"k": True}])
    (part, last) = collection(index).view().parts
    name, crc = segments.write(tmp_path, [(part, None), (last, np.array([True, False, True]))])
    found = segments.read(tmp_path, name, crc)
    assert list(found.ids) == [*list(part.ids)[:64], "é", "a\0b"]
    assert (found.vectors[-2:] == vectors(3, seed=5)[[0, 2]]).all()
    assert (found.slots == [*part.slots, 65, 67]).all()
    assert [orjson.loads(found.distinct[code]) for code in found.codes[-2:].tolist()] == [
        {"ключ": "é"},
        {"k": True},
    ]
    assert not snapshots.due(collection(index).view()) or last.file is None


def test_what_is_done_late_reads_no_file_twice_and_nothing_of_a_small_collection(
    index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(index, 0, 20)
    fill(index, 0, 20)
    keep(index)
    assert collection(index)._reader is None
    fill(index, 20, 200)
    keep(index)
    index.close()
    opened: list[str] = []
    read = segments.read
    monkeypatch.setattr(segments, "read", lambda *given: opened.append(given[1]) or read(*given))
    again = LocalIndex(tmp_path)
    keep(again)
    same_as_the_store(again)
    assert sorted(opened) == [path.name for path in listed(tmp_path / "c")]
    again.close()
