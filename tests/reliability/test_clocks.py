"""The time of day is set while a job runs, by a day or by an hour, forwards or backwards."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from killing import Place
from sqlalchemy import select

from tunewright.catalog.catalog import Catalog
from tunewright.catalog.tables import tasks
from tunewright.tasks import Tasks

New = Callable[..., AbstractContextManager[Place]]
DAY = 86_400


@pytest.mark.parametrize("shift", [DAY, -DAY])
def test_a_jump_of_the_clock_ends_no_lease_and_keeps_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift: int
) -> None:
    long, short = (Tasks(Catalog(tmp_path / "catalog.db"), seconds) for seconds in (30, 0))
    long.enqueue("check", "ftjob-1", "org-a")
    short.enqueue("remove-job", "ftjob-2", "org-a")
    held, over = long.lease("cpu", "one"), short.lease("tidy", "one")
    assert held is not None
    assert over is not None
    with monkeypatch.context() as patched:
        patched.setattr("time.time", lambda: 1_800_000_000 + shift)
        assert long.lease("cpu", "two") is None
        long.renew(held)
        again = short.lease("tidy", "two")
    assert again is not None
    assert (again.id, again.attempt) == (over.id, 2)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [DAY, -DAY, 3600, -3600])
def test_workers_whose_clocks_disagree_train_a_job_once(
    new_place: New, tmp_path: Path, calm: str, shift: int
) -> None:
    """One worker trains; a second one comes, for which it is another day."""
    with new_place(tmp_path / "home") as place:
        job = place.job()
        place.worker("one", TRAINER_FAULT="training.step:2:delay=4")
        place.until(job, "running", restart=False)
        place.worker("two", CLOCK_SHIFT=str(shift))
        ended = place.until(job)
        assert place.wrong(job, calm, kills=0) == []
        assert ended.finished_at is not None
        assert abs(ended.finished_at - ended.created_at) < 120
        query = select(tasks.c.attempt, tasks.c.worker).where(tasks.c.kind == "fine-tune")
        with place.tw.catalog.reading() as connection:
            assert connection.execute(query).one() == (1, "one")
