"""A full disk below the embedded index, and who has its files open."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from test_disk import fill, small_disk  # noqa: F401

from tunewright.errors import StorageFull, Unavailable
from tunewright.vectors.local import LocalIndex, files, keeping, rows, store

D = 256


def vectors(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, D)).astype(np.float32)


def write(index: LocalIndex, batch: int) -> None:
    ids = [f"{batch}-{row}" for row in range(100)]
    index.upsert("c", ids, vectors(100, batch), [{"batch": batch}] * 100)


def test_a_full_disk_takes_no_half_batch_and_loses_nothing(
    small_disk: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows, "PART", 64)
    monkeypatch.setattr(keeping.Keeper, "ask", lambda *_: None)
    index = LocalIndex(small_disk / "vectors")
    index.create("c", D)
    write(index, 0)
    filler = fill(small_disk, 3_000_000)
    written = 1
    with pytest.raises(StorageFull, match="vector index"):  # noqa: PT012
        while True:
            write(index, written)
            written += 1
    assert index.count("c") == 100 * written
    assert index.search("c", vectors(1, 0), 1).ids == [["0-0"]]
    with index._opened.using("c") as collection, pytest.raises(StorageFull):
        collection.keep()
    assert list(files.segments(small_disk / "vectors" / "c")) == []
    filler.unlink()
    write(index, written)
    with index._opened.using("c") as collection:
        assert collection.keep()
    index.close()
    again = LocalIndex(small_disk / "vectors")
    assert again.count("c") == 100 * (written + 1)
    with again._opened.using("c") as collection:
        collection.store.check()
    again.close()


def test_who_has_it_open_does_not_keep_the_log_from_being_emptied(tmp_path: Path) -> None:
    index, other = LocalIndex(tmp_path), LocalIndex(tmp_path)
    index.create("c", D)
    for batch in range(3):
        write(index, batch)
        assert other.count("c") == index.count("c") == 100 * (batch + 1)
        other.read("c")
    log = files.log(tmp_path / "c")
    assert log.stat().st_size > 0
    with closing(sqlite3.connect(tmp_path / "c" / files.STORE)) as foreign:
        held, *_ = foreign.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert (held, log.stat().st_size) == (0, 0)
    index.close()
    other.close()


@pytest.mark.slow
def test_one_that_another_process_holds_is_busy_and_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.sqlite, "BUSY_SECONDS", 0.5)
    index = LocalIndex(tmp_path)
    index.create("c", D)
    write(index, 0)
    with closing(sqlite3.connect(tmp_path / "c" / files.STORE, isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="busy"):
            write(index, 1)
        assert index.count("c") == 100
        foreign.execute("ROLLBACK")
    write(index, 1)
    index.close()
