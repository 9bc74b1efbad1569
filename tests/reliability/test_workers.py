"""Workers that die in a loop, sleep through their lease, or come too late."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from killing import Place, go_on, still
from sqlalchemy import select

from tunewright.catalog.tables import tasks
from tunewright.records.models import Model

New = Callable[..., AbstractContextManager[Place]]


def attempt(place: Place, job: str) -> int:
    query = select(tasks.c.attempt).where(tasks.c.subject == job, tasks.c.kind == "fine-tune")
    with place.tw.catalog.reading() as connection:
        return connection.execute(query).scalar_one_or_none() or 0


def until(true: Callable[[], object], what: str) -> None:
    for _ in range(6000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError(f"never: {what}")


@pytest.mark.slow
def test_a_job_that_kills_its_worker_three_times_fails_and_the_queue_moves_on(
    new_place: New, tmp_path: Path, calm: str
) -> None:
    """The next one's worker is killed too, inside the registering transaction (F13 of
    `test_fault_points`, where the others are slow): it ends as if nothing had been."""
    with new_place(tmp_path / "home") as place:
        poison, good = place.job(), place.job()
        for name in ("one", "two", "three"):
            worker = place.worker(name, TUNEWRIGHT_FAULT="job.leased:kill")
            assert worker.wait(60) == -9
            del place.workers[name]
            place.tw.tasks.release_of_dead(name)
        four = place.worker("four", TUNEWRIGHT_FAULT="registration.inside:kill")
        failed = place.until(poison)
        assert failed.status == "failed"
        assert failed.error is not None
        assert failed.error.code == "worker_crashed"
        place.until(good)
        assert four.wait(10) == -9, "the fault struck"
        assert place.wrong(good, calm) == []


def steps(place: Place, job: str) -> int:
    return sum(event.type == "metrics" for event in place.events(job))


def test_a_worker_that_is_told_to_stop_leaves_its_job_to_the_next(
    new_place: New, tmp_path: Path, calm: str
) -> None:
    """As a server does that ends while it trains."""
    with new_place(tmp_path / "home") as place:
        first = place.worker("first", TRAINER_FAULT="training.step:3:delay=1")
        job = place.job()
        until(lambda: steps(place, job) >= 2, "two steps")
        first.terminate()
        assert first.wait(30) == 0
        del place.workers["first"]
        assert place.trainer(job) is None
        assert place.tw.jobs.retrieve(job).status == "running"
        place.worker("second")
        place.until(job)
        assert attempt(place, job) == 1, "it was given back"
        assert place.wrong(job, calm) == []


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["training", "registering"])
def test_a_worker_that_slept_through_its_lease_writes_nothing(
    new_place: New, tmp_path: Path, calm: str, phase: str
) -> None:
    """SIGSTOP, the next worker takes over, SIGCONT."""
    delay = {"training": "report.taking:6:delay=1", "registering": "registration.recording:delay=1"}
    with new_place(tmp_path / "home", lease_seconds=1.0) as place:
        zombie = place.worker("zombie", TUNEWRIGHT_FAULT=delay[phase])
        job = place.job()
        if phase == "training":
            until(lambda: steps(place, job) >= 2, "two steps")
        else:
            until(lambda: list(place.tw.home.models.glob("*")), "the weights in place")
        still(zombie)
        taken = attempt(place, job)
        place.worker("successor")
        until(lambda: attempt(place, job) > taken, "another attempt")
        go_on(zombie)
        place.until(job)
        assert place.wrong(job, calm) == []
        assert "went on to attempt" in place.log.read_text()


@pytest.mark.slow
def test_two_workers_never_train_one_job(new_place: New, tmp_path: Path) -> None:
    with new_place(tmp_path / "home") as place:
        jobs = [place.job() for _ in range(4)]
        place.worker("one")
        place.worker("two")
        names = [place.until(job).fine_tuned_model for job in jobs]
        assert [attempt(place, job) for job in jobs] == [1] * 4
        shelf = place.tw.acting(place.tw.owner).shelf
        made = [m.id for m in shelf.all(Model) if m.id.startswith("ft:") and ":ckpt-" not in m.id]
        assert sorted(made) == sorted(map(str, names))


@pytest.mark.slow
@pytest.mark.parametrize(
    "where",
    [
        "TRAINER_FAULT=training.prepared",
        "TRAINER_FAULT=training.step:2",
        "TRAINER_FAULT=directory.filled",
        "TRAINER_FAULT=directory.synced:5",
        "TUNEWRIGHT_FAULT=job.leased",
        "TUNEWRIGHT_FAULT=registration.begun",
        "TUNEWRIGHT_FAULT=registration.recording",
        "TUNEWRIGHT_FAULT=check.queueing",
        "queued",
    ],
)
def test_cancelled_in_every_phase(new_place: New, tmp_path: Path, where: str) -> None:
    """Cancelled at once, no model, and the lane is free for the next job."""
    with new_place(tmp_path / "home") as place:
        if where != "queued":
            variable, _, fault = where.partition("=")
            place.worker("worker", **{variable: f"{fault}:delay=1.5"})
        job = place.job()
        reached = {
            "training.prepared": lambda: attempt(place, job),
            "training.step:2": lambda: steps(place, job) >= 2,
            "directory.filled": lambda: list(place.tw.home.root.rglob("*.tmp-*/manifest.json")),
            "directory.synced:5": lambda: list(
                place.tw.home.job(job).glob("model.tmp-*/manifest.json")
            ),
            "job.leased": lambda: attempt(place, job),
            "registration.begun": lambda: (place.tw.home.job(job) / "parity.json").exists(),
            "registration.recording": lambda: list(place.tw.home.models.glob("*")),
        }
        until(reached.get(where.partition("=")[2], lambda: True), where)
        assert place.tw.jobs.cancel(job).status == "cancelled"
        if where == "queued":
            place.worker("worker")
        after = place.job(n_epochs=1)
        assert place.until(after).status == "succeeded"
        assert place.tw.jobs.retrieve(job).status == "cancelled"
        shelf = place.tw.acting(place.tw.owner).shelf
        made = [m.id for m in shelf.all(Model) if m.id.startswith("ft:") and ":ckpt-" not in m.id]
        assert made == [place.tw.jobs.retrieve(after).fine_tuned_model]
