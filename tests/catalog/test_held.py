"""A catalog that another process holds: writers wait, nobody who reads does."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tunewright.catalog.catalog import Catalog
from tunewright.durable import sqlite
from tunewright.errors import Unavailable
from tunewright.records.files import File


def test_waiting_writers_leave_the_readers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More writers than there are connections: each is told to come back, and reading goes on."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 1.0)
    catalog = Catalog(tmp_path / "catalog.db")
    shelf = catalog.shelf("a")
    file = File(bytes=1, filename="a", purpose="fine-tune")
    shelf.put(file)

    def write(number: int) -> str:
        try:
            shelf.put(file.model_copy(update={"id": f"file-{number}"}))
        except Unavailable as error:
            return f"busy for {error.retry_after:g} s"
        return "written"

    with closing(sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(60) as pool:
            writing = [pool.submit(write, number) for number in range(40)]
            time.sleep(0.2)
            reading = [pool.submit(shelf.get, File, file.id) for _ in range(20)]
            assert [future.result(5) for future in reading] == [file] * 20
            assert {future.result(30) for future in writing} == {"busy for 1 s"}
        foreign.execute("ROLLBACK")
    assert write(99) == "written"
    catalog.close()
