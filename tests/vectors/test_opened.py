"""What an index has open, and for how long; what its thread does by itself."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tunewright.errors import NotFound, StorageFull
from tunewright.vectors.filters import parse
from tunewright.vectors.local import LocalIndex, files, keeping, opened, rows, store
from tunewright.vectors.local.store import Store

ONE = np.ones((1, 4), np.float32)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LocalIndex]:
    made = LocalIndex(tmp_path)
    yield made
    made.close()


def in_the_end(true: Callable[[], bool]) -> bool:
    for _ in range(600):
        if true():
            return True
        time.sleep(0.02)
    return False


def handles(place: Path) -> int:
    """Of this process, below a directory: of removed files, too."""
    links = (Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd"))
    return sum(os.readlink(link).startswith(f"{place}/") for link in links if link.is_symlink())


def test_those_not_used_for_longest_are_closed(
    index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "MOST_OPEN", 3)
    for number in range(8):
        index.create(f"c{number}", 4)
        index.upsert(f"c{number}", ["a"], ONE, [{}])
    assert len(index._opened._open) <= 4
    assert handles(tmp_path / "c0") == 0
    assert [index.count(f"c{number}") for number in range(8)] == [1] * 8


def test_those_whose_rows_fill_the_memory_are_closed(
    index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "MOST_HELD", 4 * 4 * 100)
    for name in "abcd":
        index.create(name, 4)
        index.upsert(name, [str(n) for n in range(60)], np.ones((60, 4), np.float32), [{}] * 60)
        assert len(index.search(name, ONE, 100).ids[0]) == 60
    assert "a" not in index._opened._open
    assert index.count("a") == 60


def test_one_that_another_process_has_dropped_is_closed(
    index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.create("a", 4)
    index.create("b", 4)
    assert handles(tmp_path / "a") > 0
    other = LocalIndex(tmp_path)
    other.drop("a")
    other.close()
    monkeypatch.setattr(opened, "_LOOKED_AFTER", -1.0)
    assert index.count("b") == 0
    assert handles(tmp_path / "a") == 0
    with pytest.raises(NotFound):
        index.count("a")


def test_one_that_was_dropped_and_made_anew_elsewhere_is_the_new_one(
    index: LocalIndex, tmp_path: Path
) -> None:
    index.create("a", 4)
    index.upsert("a", ["old"], ONE, [{}])
    other = LocalIndex(tmp_path)
    other.drop("a")
    other.create("a", 2, "dot")
    index.upsert("a", ["new"], np.ones((1, 2), np.float32), [{}])
    assert other.read("a").ids == index.read("a").ids == ["new"]
    other.close()


def test_made_and_dropped_by_many_at_once(index: LocalIndex, tmp_path: Path) -> None:
    other, wrong = LocalIndex(tmp_path), list[Exception]()

    def act(mine: LocalIndex) -> None:
        for _ in range(6):
            try:
                mine.create("a", 4)
                mine.upsert("a", ["x"], ONE, [{}])
                assert mine.search("a", ONE, 1).ids in ([["x"]], [[]])
                mine.drop("a")
            except NotFound:
                pass
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=act, args=(one,)) for one in (index, index, other, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert wrong == []
    index.create("a", 4)
    assert index.count("a") in (0, 1)


def test_the_thread_writes_files_and_rewrites_them_without_what_was_deleted(
    index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nobody searches."""
    monkeypatch.setattr(rows, "PART", 64)
    monkeypatch.setattr(keeping, "SOON", 0.0)
    index.create("a", 4)
    ids = [f"a-secret-{number:03}" for number in range(70)]
    index.upsert("a", ids, np.ones((70, 4), np.float32), [{"k": n} for n in range(70)])

    def holding() -> list[Path]:
        found = files.segments(tmp_path / "a")
        return [path for path in found if b"a-secret-007" in path.read_bytes()]

    assert in_the_end(lambda: len(holding()) == 1)
    index.delete("a", where=parse({"type": "eq", "key": "k", "value": 7}))
    assert files.log(tmp_path / "a").stat().st_size == 0
    assert in_the_end(lambda: not holding() and len(list(files.segments(tmp_path / "a"))) == 1)
    assert index.count("a") == 69


def test_the_list_of_deletions_stays_short(
    index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_DELETIONS", 20)
    monkeypatch.setattr(keeping.Keeper, "ask", lambda *_: None)
    index.create("a", 4)
    other = LocalIndex(tmp_path)
    assert other.count("a") == 0
    for _ in range(30):
        index.upsert("a", ["x", "y"], np.ones((2, 4), np.float32), [{}] * 2)
    with index._opened.using("a") as collection:
        collection.keep()
        with collection.store.reading() as reading:
            assert reading.deleted_since(0) == []
    assert other.search("a", ONE, 5).ids == [["x", "y"]]
    other.close()


def test_what_is_deleted_is_deleted_where_its_log_cannot_be_emptied(
    index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.create("a", 4)
    index.upsert("a", ["x"], ONE, [{}])

    def full(*_: object) -> bool:
        raise StorageFull("The disk is full.")

    monkeypatch.setattr(Store, "scrub", full)
    index.delete("a", ids=["x"])
    assert index.count("a") == 0
    monkeypatch.undo()
