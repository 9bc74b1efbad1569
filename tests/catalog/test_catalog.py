import multiprocessing
import os
import sqlite3
import threading
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import pytest

from tunewright.app import Tunewright
from tunewright.catalog.catalog import Catalog
from tunewright.catalog.database import plain
from tunewright.errors import TunewrightError, Unavailable
from tunewright.records.files import File


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.db")


def file(name: str = "a") -> File:
    return File(bytes=1, filename=name, purpose="fine-tune")


def test_what_is_put_comes_back_after_reopening(tmp_path: Path, catalog: Catalog) -> None:
    one = file()
    assert catalog.shelf("org-a").put(one)
    assert not catalog.shelf("org-a").put(one), "an id is put once"
    catalog.close()
    assert Catalog(tmp_path / "catalog.db").shelf("org-a").get(File, one.id) == one


def test_another_organisation_sees_nothing(catalog: Catalog) -> None:
    one = file()
    catalog.shelf("org-a").put(one)
    other = catalog.shelf("org-b")
    assert other.get(File, one.id) is None
    assert other.page(File).data == []
    assert other.page(File, after=one.id).data == []
    assert other.page(File, after=one.id, newest_first=False).data == []
    assert catalog.shelf("org-a").page(File, after="unknown", newest_first=False).data == []
    assert other.change(File, one.id, lambda f: f) is None
    assert not other.delete(File, one.id)
    assert catalog.shelf("org-a").get(File, one.id) == one


def test_changes_of_many_threads_all_count(catalog: Catalog) -> None:
    shelf = catalog.shelf("org-a")
    one = file()
    shelf.put(one)

    def bump() -> None:
        for _ in range(20):
            shelf.change(File, one.id, lambda f: f.model_copy(update={"bytes": f.bytes + 1}))

    threads = [threading.Thread(target=bump) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = shelf.get(File, one.id)
    assert found is not None
    assert found.bytes == 81


def test_a_transaction_is_all_or_nothing(catalog: Catalog) -> None:
    shelf = catalog.shelf("org-a")
    with pytest.raises(RuntimeError), catalog.transaction():  # noqa: PT012
        shelf.put(file())
        raise RuntimeError
    assert shelf.page(File).data == []


def test_pages_in_both_orders_past_deleted_rows(catalog: Catalog) -> None:
    shelf = catalog.shelf("org-a")
    files = [file(str(n)) for n in range(5)]
    for one in files:
        shelf.put(one)
    shelf.delete(File, files[2].id)
    newest = shelf.page(File, after=files[2].id, limit=1)
    assert [f.filename for f in newest.data] == ["1"]
    assert newest.has_more
    oldest = shelf.page(File, after=files[2].id, newest_first=False)
    assert [f.filename for f in oldest.data] == ["3", "4"]
    assert not oldest.has_more


def test_what_is_deleted_is_gone_from_the_file(tmp_path: Path, catalog: Catalog) -> None:
    shelf = catalog.shelf("org-a")
    one = file("canary-4711")
    shelf.put(one)
    shelf.delete(File, one.id)
    catalog.close()
    assert b"canary-4711" not in (tmp_path / "catalog.db").read_bytes()


def test_a_newer_catalog_is_refused(tmp_path: Path, catalog: Catalog) -> None:
    catalog.close()
    with sqlite3.connect(tmp_path / "catalog.db") as connection:
        connection.execute("insert into schema values (99)")
    with pytest.raises(TunewrightError, match="newer Tunewright"):
        Catalog(tmp_path / "catalog.db")


@pytest.mark.slow
def test_many_processes_open_a_new_catalog_at_once(tmp_path: Path) -> None:
    """SQLite waits for no lock while it turns to its log: of 480 openings, 4 were refused."""
    context = multiprocessing.get_context("fork")

    def open_it(path: Path, barrier: Barrier, refused: Event) -> None:
        barrier.wait()
        try:
            Catalog(path).close()
        except TunewrightError:
            refused.set()

    refused = context.Event()
    for number in range(30):
        barrier = context.Barrier(8)
        given = (tmp_path / f"{number}.db", barrier, refused)
        processes = [context.Process(target=open_it, args=given) for _ in range(8)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    assert not refused.is_set()


@pytest.mark.parametrize("name", ["a?b=c", "100%25", "a#b", 'it\'s "it"', "two\nlines", "空 é"])
def test_a_home_may_be_called_anything(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    file = Tunewright(home).files.create(file=b"{}", purpose="fine-tune")
    assert (home / "catalog.db").is_file()
    assert list(tmp_path.iterdir()) == [home], "nothing is written beside it"
    assert Tunewright(home).files.retrieve(file.id) == file


def test_a_home_that_cannot_be_written_to_is_no_passing_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    assert isinstance(plain(error, tmp_path / "catalog.db"), Unavailable)
    monkeypatch.setattr(os, "access", lambda *_: False)  # tests may run as root
    said = plain(error, tmp_path / "catalog.db")
    assert not isinstance(said, Unavailable)
    assert f"{tmp_path} cannot be written to" in said.message
