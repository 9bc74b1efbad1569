"""A worker with nothing to do asks cheaply, and hears of a task at once, whoever adds it."""

import threading
import time
from pathlib import Path

import pytest

from tunewright.app import Tunewright
from tunewright.tasks import Task
from tunewright.work import worker as worker_module
from tunewright.work.changes import Changes
from tunewright.work.worker import Worker


def test_every_commit_of_another_connection_is_a_change(tmp_path: Path) -> None:
    tw = Tunewright(tmp_path)
    changes = Changes(tw.home.catalog)
    before = changes.version()
    assert changes.version() == before
    tw.tasks.enqueue("check", "cpu", "ftjob-1", "org")
    assert changes.version() != before
    changes.close()
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
    other.tasks.enqueue("check", "cpu", "ftjob-1", "org")
    assert done.wait(10)
    worker.stopping.set()
    thread.join()
    for each in (tw, other):
        each.close()
