"""Disks that are full, and a catalog that is damaged or busy."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest
from killing import Place

from servers import Server, chats
from tunewright.app import Tunewright
from tunewright.catalog.catalog import Catalog
from tunewright.errors import Corrupt, StorageFull, Unavailable
from tunewright.records.files import File

New = Callable[..., AbstractContextManager[Place]]
MIB = 1024 * 1024


def test_an_upload_that_does_not_fit_is_refused_and_leaves_nothing(server: Server) -> None:
    """A limit on the size of files is the disk that is full for one of them only."""
    process = psutil.Process(server.process.pid)
    before = process.rlimit(resource.RLIMIT_FSIZE)
    blobs = server.home / "blobs"
    there = set(blobs.iterdir())
    process.rlimit(resource.RLIMIT_FSIZE, (40 * MIB, before[1]))
    try:
        answer = server.http.post(
            "/files", data={"purpose": "fine-tune"}, files={"file": ("a.jsonl", bytes(41 * MIB))}
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (507, "storage_full")
        assert set(blobs.iterdir()) == there
        server.upload(chats(2))
    finally:
        process.rlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 160 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160m", "tunewright-tests", str(disk)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip(f"no file system can be mounted: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path, leaving: int) -> Path:
    filler = disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - leaving)
    return filler


@pytest.mark.slow
@pytest.mark.parametrize("leaving", [200_000, 1_500_000, 3_000_000])
def test_a_job_waits_for_space_and_goes_on(
    new_place: New, small_disk: Path, calm: str, leaving: int
) -> None:
    with new_place(small_disk / "home") as place:
        job = place.job()
        filler = fill(small_disk, leaving)
        with pytest.raises(StorageFull):
            place.tw.files.create(file=bytes(4 * MIB), purpose="fine-tune")
        place.worker("worker")

        def waits() -> bool:
            return any("Waiting: The disk" in event.message for event in place.events(job))

        for _ in range(600):
            if waits() or "is full" in place.log.read_text():
                break
            time.sleep(0.1)
        else:
            raise AssertionError(place.told(job))
        assert place.tw.jobs.retrieve(job).status in ("validating_files", "queued", "running")
        filler.unlink()
        place.until(job)
        assert place.wrong(job, calm) == []


def test_a_catalog_on_a_full_disk_says_so_and_loses_nothing(small_disk: Path) -> None:
    catalog = Catalog(small_disk / "catalog.db")
    shelf = catalog.shelf("org-a")
    filler = fill(small_disk, 256 * 1024)
    kept: list[str] = []
    with pytest.raises(StorageFull):  # noqa: PT012
        for _ in range(10_000):
            one = File(bytes=1, filename="x" * 200, purpose="fine-tune")
            shelf.put(one)
            kept.append(one.id)
    filler.unlink()
    assert shelf.put(File(bytes=1, filename="after", purpose="fine-tune"))
    catalog.close()
    reopened = Catalog(small_disk / "catalog.db")
    reopened.check()
    found = {file.id for file in reopened.shelf("org-a").all(File)}
    assert len(kept) > 10
    assert set(kept) <= found


@pytest.mark.parametrize("damage", ["header", "middle", "cut"])
def test_a_damaged_catalog_is_refused_with_the_file_and_the_remedy(
    tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "catalog.db"
    catalog = Catalog(path)
    for number in range(300):
        catalog.shelf("org").put(File(bytes=1, filename=f"{number}" * 50, purpose="fine-tune"))
    catalog.close()
    data = bytearray(path.read_bytes())
    if damage == "header":
        data[:16] = bytes(16)
    elif damage == "middle":
        data[len(data) // 2 : len(data) // 2 + 4096 * 4] = os.urandom(4096 * 4)
    else:
        del data[len(data) // 2 :]
    path.write_bytes(data)
    with pytest.raises(Corrupt, match=r"catalog\.db is damaged .*backup") as refused:
        Catalog(path).check()
    assert refused.value.code == "catalog_corrupt"
    assert path.read_bytes() == data, "nothing repairs it by itself"


@pytest.mark.slow
def test_a_catalog_that_another_process_holds_is_busy(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.db")
    with sqlite3.connect(tmp_path / "catalog.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="busy"):
            catalog.shelf("org").put(File(bytes=1, filename="x", purpose="fine-tune"))
        assert catalog.shelf("org").all(File) == [], "reading goes on"
        other.execute("ROLLBACK")
    assert catalog.shelf("org").put(File(bytes=1, filename="x", purpose="fine-tune"))


def test_killed_between_the_bytes_and_the_record(tmp_path: Path) -> None:
    """An upload that was never acknowledged is not there; the next one is."""
    script = (
        "import sys; from tunewright.app import Tunewright\n"
        "Tunewright(sys.argv[1]).files.create(file=b'{}', purpose='fine-tune')"
    )
    home = tmp_path / "home"
    command = [sys.executable, "-c", script, str(home)]
    environment = {**os.environ, "TUNEWRIGHT_FAULT": "file.stored:kill"}
    assert subprocess.run(command, env=environment).returncode == -9
    assert Tunewright(home).files.list().data == []
    subprocess.run(command, check=True)
    assert len(Tunewright(home).files.list().data) == 1
