"""A worker with nothing to do asks cheaply, and hears of a task at once, whoever adds it."""

import threading
import time
from pathlib import Path

import pytest

from tunewright.app import Tunewright
from tunewright.tasks import Task, Tasks
from tunewright.work import worker as worker_module
from tunewright.work.changes import Changes, Watch
from tunewright.work.worker import Worker


def test_every_commit_of_another_connection_is_a_change(tmp_path: Path) -> None:
    tw = Tunewright(tmp_path)
    changes = Changes(tw.home.catalog)
    before = changes.version()
    assert changes.version() == before
    tw.tasks.enqueue("check", "ftjob-1", "org")
    assert changes.version() != before
    changes.close()
    tw.close()


def test_a_lease_that_runs_out_is_noticed_without_a_commit(tmp_path: Path) -> None:
    tw = Tunewright(tmp_path)
    tw.tasks = Tasks(tw.catalog, lease_seconds=5.0)
    assert tw.tasks.quiet("cpu", 60) == 60
    tw.tasks.enqueue("check", "ftjob-1", "org")
    assert tw.tasks.quiet("cpu", 60) == 60
    task = tw.tasks.lease("cpu", "worker-1")
    assert task is not None
    assert 0 < tw.tasks.quiet("cpu", 60) <= 5.1
    assert tw.tasks.quiet("cpu", 2) == 2
    assert tw.tasks.quiet("train", 60) == 60
    tw.tasks.finish(task)
    assert tw.tasks.quiet("cpu", 60) == 60
    tw.close()


def test_one_thread_asks_for_all_who_wait(tmp_path: Path) -> None:
    tw, stopping = Tunewright(tmp_path), threading.Event()
    watch = Watch(tw.home.catalog)
    watching = threading.Thread(target=watch.run, args=(stopping, 0.01))
    watching.start()
    woken = [threading.Event() for _ in range(3)]

    def wait(event: threading.Event, seen: int) -> None:
        watch.wait(seen, 60)
        event.set()

    for event in woken:
        threading.Thread(target=wait, args=(event, watch.count)).start()
    tw.tasks.enqueue("check", "ftjob-1", "org")
    assert all(event.wait(10) for event in woken)
    stopping.set()
    watching.join()
    watch.wait(watch.count, 60)  # nobody looks any more, so nobody waits
    tw.close()


def test_an_idle_worker_looks_for_tasks_only_when_something_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "IDLE_SECONDS", 0.01)
    monkeypatch.setattr(worker_module, "LOOK_SECONDS", 3600)
    tw, other = Tunewright(tmp_path), Tunewright(tmp_path)  # as the worker's and the API's process
    looks, done = [0], threading.Event()
    lease = tw.tasks.lease

    def counted(lane, name):
        looks[0] += 1
        return lease(lane, name)

    def do(self: Worker, task: Task, *_: object) -> None:
        tw.tasks.finish(task)
        done.set()

    monkeypatch.setattr(tw.tasks, "lease", counted)
    monkeypatch.setattr(Worker, "_do", do)
    worker = Worker(tw, "worker-1")
    thread = threading.Thread(target=worker.run)
    thread.start()
    time.sleep(0.5)  # what is written at the start has been looked at
    idle = looks[0]
    time.sleep(0.5)
    assert looks[0] == idle
    other.tasks.enqueue("check", "ftjob-1", "org")
    assert done.wait(10)
    worker.stopping.set()
    thread.join()
    for each in (tw, other):
        each.close()
