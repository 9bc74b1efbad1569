"""A catalog that others read or write at the same time."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from servers import chats
from tunewright.app import Tunewright
from tunewright.catalog import database
from tunewright.catalog.catalog import Catalog
from tunewright.errors import Unavailable
from tunewright.records.files import File
from tunewright.work.worker import Worker


@contextmanager
def foreign(path: Path, statement: str) -> Iterator[None]:
    """Another program's transaction, open."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(statement)
        other.execute("SELECT count(*) FROM files").fetchone()
        yield


def file(name: str) -> File:
    return File(bytes=1, filename=name, purpose="fine-tune")


def test_a_reader_holds_up_no_deletion_and_all_is_wiped_when_it_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    scrub = Catalog.scrub

    def noted(self: Catalog, *, seconds: float = 0.0) -> bool:
        asked.append(seconds)
        return scrub(self, seconds=seconds)

    monkeypatch.setattr(Catalog, "scrub", noted)
    tw = Tunewright(tmp_path / "home")
    log = tw.home.root / "catalog.db-wal"
    made = tw.files.create(file=chats(12), purpose="fine-tune", filename="canary-4711").id
    with foreign(tw.home.catalog, "BEGIN"):
        assert tw.files.delete(made).deleted
        assert asked == [0.0], "nobody waits for readers in a request"
        assert b"canary-4711" in log.read_bytes()
        worker = Worker(tw, "one", ["tidy"])
        lane = threading.Thread(target=worker.run, daemon=True)
        lane.start()
        for _ in range(600):
            if len(asked) >= 2:
                break
            worker.stopping.wait(0.05)
        assert asked[1] > 0, "the worker goes on trying"
    for _ in range(600):
        if b"canary-4711" not in log.read_bytes():
            break
        worker.stopping.wait(0.05)
    worker.stopping.set()
    lane.join(30)
    assert b"canary-4711" not in log.read_bytes()
    assert b"canary-4711" not in tw.home.catalog.read_bytes()
    assert tw.tasks.lease("tidy", "two") is None, "nothing is left to do"
    tw.close()


def test_writers_who_wait_leave_room_for_readers_and_are_told_when_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "STUCK_SECONDS", 0.2)
    catalog = Catalog(tmp_path / "catalog.db")
    shelf = catalog.shelf("org-a")
    shelf.put(file("there"))
    told: list[str] = []

    def write(number: int) -> None:
        try:
            shelf.put(file(str(number)))
        except Unavailable as error:
            told.append(error.message)

    with foreign(tmp_path / "catalog.db", "BEGIN IMMEDIATE"):
        waiting = [
            threading.Thread(target=write, args=(n,), daemon=True)
            for n in range(database.MOST_WAITING)
        ]
        for thread in waiting:
            thread.start()
        late = threading.Event()
        late.wait(0.5)
        write(-1)
        assert told == ["The catalog is busy. Please try again in a moment."]
        assert len(shelf.all(File)) == 1, "reading goes on"
    for thread in waiting:
        thread.join(30)
    assert len(told) == 1
    assert len(shelf.all(File)) == 1 + database.MOST_WAITING
    for number in range(database.MOST_WAITING + 8):  # and nothing is counted twice
        write(number)
    assert len(told) == 1
