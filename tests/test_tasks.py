import time
from pathlib import Path

import pytest

from tunewright.catalog.catalog import Catalog
from tunewright.tasks import Held, LostLease, Tasks


@pytest.fixture
def tasks(tmp_path: Path) -> Tasks:
    made = Tasks(Catalog(tmp_path / "catalog.db"), lease_seconds=30)
    made.enqueue("check", "ftjob-1", "org-a")
    return made


def test_one_task_one_worker(tasks: Tasks) -> None:
    task = tasks.lease("cpu", "w1")
    assert task is not None
    assert (task.subject, task.attempt) == ("ftjob-1", 1)
    assert tasks.lease("cpu", "w2") is None
    assert tasks.lease("train", "w2") is None


def test_a_lease_that_ran_out_goes_to_the_next_and_fences_off_the_first(tmp_path: Path) -> None:
    tasks = Tasks(Catalog(tmp_path / "catalog.db"), lease_seconds=0)
    tasks.enqueue("check", "ftjob-1", "org-a")
    first = tasks.lease("cpu", "w1")
    second = tasks.lease("cpu", "w2")
    assert first is not None
    assert second is not None
    assert second.attempt == 2
    for write in (tasks.renew, tasks.finish, tasks.release, tasks.guard):
        with pytest.raises(LostLease):
            write(first)
    tasks.finish(second)
    assert tasks.lease("cpu", "w3") is None


def test_the_death_of_a_worker_frees_its_tasks_only(tasks: Tasks) -> None:
    tasks.enqueue("check", "ftjob-2", "org-a")
    one, two = tasks.lease("cpu", "w1"), tasks.lease("cpu", "w2")
    assert one is not None
    assert two is not None
    tasks.release_of_dead("w1")
    again = tasks.lease("cpu", "w3")
    assert again is not None
    assert (again.id, again.attempt) == (one.id, 2)
    tasks.guard(two)


def test_a_task_given_back_does_not_count_the_attempt(tasks: Tasks) -> None:
    task = tasks.lease("cpu", "w1")
    assert task is not None
    tasks.release(task)
    again = tasks.lease("cpu", "w1")
    assert again is not None
    assert again.attempt == 1


def test_cancel_reaches_the_worker_and_empties_the_queue(tasks: Tasks) -> None:
    task = tasks.lease("cpu", "w1")
    assert task is not None
    tasks.enqueue("fine-tune", "ftjob-1", "org-a")
    tasks.renew(task)
    tasks.cancel("ftjob-1")
    for write in (tasks.renew, tasks.guard, tasks.release):
        with pytest.raises(LostLease):
            write(task)
    assert tasks.lease("train", "w1") is None


def served(tasks: Tasks, count: int) -> list[str]:
    """The subjects of the next `count` tasks, each done before the next is leased."""
    subjects = []
    for _ in range(count):
        task = tasks.lease("train", "w1")
        assert task is not None
        subjects.append(task.subject)
        tasks.finish(task)
    return subjects


def test_organisations_take_turns(tasks: Tasks) -> None:
    for job in ("a1", "a2", "a3", "a4", "b1", "c1", "b2"):
        tasks.enqueue("fine-tune", job, f"org-{job[0]}")
    assert served(tasks, 4) == ["a1", "b1", "c1", "a2"]
    tasks.enqueue("fine-tune", "d1", "org-d")
    assert served(tasks, 4) == ["d1", "b2", "a3", "a4"]


def test_what_a_restart_cut_short_goes_on_first(tasks: Tasks) -> None:
    for job in ("a1", "b1"):
        tasks.enqueue("fine-tune", job, f"org-{job[0]}")
    for give_back in (tasks.release, lambda _: tasks.release_of_dead()):
        task = tasks.lease("train", "w1")
        assert task is not None
        assert task.subject == "a1"
        give_back(task)
    assert served(tasks, 2) == ["a1", "b1"]


def test_a_held_task_is_given_back_and_waits(tasks: Tasks) -> None:
    task = tasks.lease("cpu", "w1")
    assert task is not None
    tasks.hold("ftjob-1", True)
    with pytest.raises(Held):
        tasks.renew(task)
    tasks.guard(task)  # it is ours until it is given back: what was reached is still written
    tasks.release(task)
    assert tasks.lease("cpu", "w2") is None
    tasks.release_of_dead()
    assert tasks.lease("cpu", "w2") is None
    tasks.hold("ftjob-1", False)
    assert tasks.lease("cpu", "w2") is not None


def test_a_long_task_lets_the_others_go_first_and_keeps_its_place_after_them(tasks: Tasks) -> None:
    long = tasks.lease("cpu", "w1")
    assert long is not None
    tasks.enqueue("check", "ftjob-2", "org-a")
    assert not tasks.others_wait(long), "its own organisation's work is no reason"
    tasks.enqueue("check", "ftjob-3", "org-b")
    tasks.enqueue("fine-tune", "ftjob-4", "org-c")
    assert tasks.others_wait(long)
    tasks.pass_on(long)
    order = []
    while task := tasks.lease("cpu", "w1"):
        order.append((task.subject, task.attempt, task.fruitless))
    assert order == [("ftjob-3", 1, 1), ("ftjob-1", 1, 1), ("ftjob-2", 1, 1)]


def test_small_tasks_of_a_kind_are_done_together(tasks: Tasks) -> None:
    for number in range(4):
        tasks.enqueue("verify", f"vs_a/file-{number}", "org-a")
    for kind, subject, who in (
        ("verify", "vs_ab/file-1", "org-a"),
        ("remove-file", "vs_a/file-9", "org-a"),
        ("verify", "vs_a/file-8", "org-b"),
    ):
        tasks.enqueue(kind, subject, who)
    first = tasks.lease("tidy", "w1")
    assert first is not None
    while first.subject != "vs_a/file-0":
        tasks.finish(first)
        first = tasks.lease("tidy", "w1")
        assert first is not None
    more = tasks.lease_more(first, 2)
    assert [each.subject for each in more] == ["vs_a/file-1", "vs_a/file-2"]
    tasks.cancel(more[1].subject)
    tasks.keep(more)
    tasks.finish(more[0])
    with pytest.raises(LostLease):
        tasks.finish(more[1])
    tasks.enqueue("verify", "vs_a/file-7", "org-a")
    tasks.release_of_dead("w1")
    again = tasks.lease("tidy", "w1")
    assert again is not None
    assert (again.subject, again.fruitless) == ("vs_a/file-0", 2)
    assert [each.subject for each in tasks.lease_more(again, 9)] == ["vs_a/file-3", "vs_a/file-7"]


def test_a_lease_of_the_others_is_kept_as_well(tmp_path: Path) -> None:
    tasks = Tasks(Catalog(tmp_path / "catalog.db"), lease_seconds=0.2)
    for number in range(3):
        tasks.enqueue("verify", f"vs_a/file-{number}", "org-a")
    first = tasks.lease("tidy", "w1")
    assert first is not None
    others = tasks.lease_more(first, 1)
    longer = Tasks(tasks._catalog, lease_seconds=30)
    longer.keep(others)
    time.sleep(0.25)
    free = [tasks.lease("tidy", "w2"), tasks.lease("tidy", "w2"), tasks.lease("tidy", "w2")]
    assert {task.subject for task in free if task} == {"vs_a/file-0", "vs_a/file-2"}
