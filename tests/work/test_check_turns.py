"""A file that takes long to check holds up nobody, and is let go of when nobody wants it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from servers import chats
from tunewright.app import Acting, Tunewright
from tunewright.records.jobs import Job
from tunewright.work import turn, worker
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
    monkeypatch.setattr(turn, "TURN_SECONDS", 0.02)
    mine, other = tw.acting(tw.owner), tw.acting(tw.access.create_organisation("other"))
    long = job(mine, TINY * 20_000)
    short = job(other, chats(12))
    request.getfixturevalue("working")
    until(other, short, "queued")
    assert mine.jobs.retrieve(long).status == "validating_files", "the short one came in between"
    failed = until(mine, long, "failed")
    assert failed.error is not None
    assert "has 20,000 bad rows of 20,000" in failed.error.message, "each row was read once"


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


def _log(tw: Tunewright, id: str) -> str:
    return (tw.home.job(id) / "log.txt").read_text("utf-8")


def test_the_log_of_a_job_has_what_its_check_found(
    tw: Tunewright, request: pytest.FixtureRequest
) -> None:
    acting = tw.acting(tw.owner)
    bad, good = job(acting, chats(12) + TINY), job(acting, chats(12))
    request.getfixturevalue("working")
    failed = until(acting, bad, "failed")
    until(acting, good, "queued")
    assert failed.error is not None
    first, *others = _log(tw, bad).splitlines()
    assert first.endswith(" kind=checked file=training_file rows=13 examples=12 bad=1")
    [error] = [line for line in others if " kind=error " in line]
    assert "code=missing_messages_list message=line 13, $.messages" in error
    assert "Write it as" in error
    assert others[-1].endswith(
        f" kind=failed code={failed.error.code} message={failed.error.message}"
    )
    assert " kind=checked file=training_file rows=12 examples=12 bad=0" in _log(tw, good)


def test_the_log_of_a_job_says_why_its_check_ended_its_worker(
    tw: Tunewright, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    def run(assignment: CheckFiles) -> None:
        raise ZeroDivisionError("of a check")

    monkeypatch.setattr(CheckFiles, "run", run)
    monkeypatch.setattr(worker, "RETRY_SECONDS", 0.01)
    acting = tw.acting(tw.owner)
    id = job(acting, chats(12))
    request.getfixturevalue("working")
    failed = until(acting, id, "failed")
    assert failed.error is not None
    assert failed.error.code == "worker_crashed"
    assert f"The reason is in jobs/{id}/log.txt" in failed.error.message
    assert "ZeroDivisionError: of a check" in _log(tw, id)
    assert "test_check_turns.py" in _log(tw, id), "and where"
