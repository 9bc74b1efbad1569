"""A file that takes long to check holds up nobody, and is let go of when nobody wants it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from servers import chats
from tunewright.app import Acting, Tunewright
from tunewright.records.jobs import Job
from tunewright.work import check
from tunewright.work.check import CheckFiles
from tunewright.work.worker import Worker

TINY = b"{}\n"


@pytest.fixture
def tw(tmp_path: Path) -> Iterator[Tunewright]:
    made = Tunewright(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def working(tw: Tunewright) -> Iterator[Worker]:
    """A worker that only checks."""
    worker = Worker(tw, "one", ["cpu"])
    running = threading.Thread(target=worker.run)
    running.start()
    yield worker
    worker.stopping.set()
    running.join(60)
    assert not running.is_alive()


def job(acting: Acting, data: bytes) -> str:
    file = acting.files.create(file=data, purpose="fine-tune", filename="data.jsonl")
    return acting.jobs.create(model="gpt-3.5-turbo", training_file=file.id).id


def until(acting: Acting, id: str, *statuses: str) -> Job:
    waiting = threading.Event()
    for _ in range(6000):
        found = acting.jobs.retrieve(id)
        if found.status in statuses:
            return found
        waiting.wait(0.01)
    raise AssertionError(f"{id} is {found.status}")


def test_a_short_file_is_checked_in_the_midst_of_a_long_one(
    tw: Tunewright, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(check, "TURN_SECONDS", 0.02)
    mine, other = tw.acting(tw.owner), tw.acting(tw.access.create_organisation("other"))
    long = job(mine, TINY * 100_000)
    short = job(other, chats(12))
    request.getfixturevalue("working")
    until(other, short, "queued")
    assert mine.jobs.retrieve(long).status == "validating_files", "the short one came in between"
    failed = until(mine, long, "failed")
    assert failed.error is not None
    assert "has 100,000 bad rows of 100,000" in failed.error.message, "each row was read once"


@pytest.mark.parametrize("end", ["cancel", "pause"])
def test_a_check_that_nobody_wants_stops(
    tw: Tunewright, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, end: str
) -> None:
    ended = threading.Event()

    def run(assignment: CheckFiles, real: Callable = CheckFiles.run) -> None:
        try:
            real(assignment)
        finally:
            ended.set()

    monkeypatch.setattr(CheckFiles, "run", run)
    acting = tw.acting(tw.owner)
    long = job(acting, TINY * 9_000_000)  # more than a minute
    request.getfixturevalue("working")
    while "Validating" not in acting.jobs.events(long).data[0].message:
        ended.wait(0.05)
    getattr(acting.jobs, end)(long)
    assert ended.wait(30), "the lane is free"
    status = {"cancel": "cancelled", "pause": "validating_files"}[end]
    assert acting.jobs.retrieve(long).status == status
