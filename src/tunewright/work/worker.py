"""The worker: leases tasks and does them, one at a time in each lane."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from tunewright.app import Tunewright
from tunewright.errors import JobFailed, StorageFull, TunewrightError
from tunewright.resources.progress import Moved
from tunewright.tasks import MAX_ATTEMPTS, Held, Kind, Lane, LostLease, Task
from tunewright.work import check, expiry, fine_tune, remove, scrub
from tunewright.work.assignment import Assignment
from tunewright.work.changes import Watch

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.25
LOOK_SECONDS = 60.0
RETRY_SECONDS = 2.0
LANES: tuple[Lane, ...] = ("cpu", "train", "tidy")
KINDS: dict[Kind, Callable[[Assignment], None]] = {
    "check": check.run,
    "fine-tune": fine_tune.run,
    "remove": remove.run,
    "scrub": scrub.run,
}


class Worker:
    def __init__(self, tw: Tunewright, name: str) -> None:
        self._tw = tw
        self._name = name
        self._watch = Watch(tw.home.catalog)
        self.stopping = threading.Event()

    def run(self) -> None:
        """Work until `stopping` is set."""
        lanes = [threading.Thread(target=self._lane, args=(lane,), name=lane) for lane in LANES]
        lanes.append(threading.Thread(target=expiry.run, args=(self._tw, self.stopping)))
        watch = (self.stopping, IDLE_SECONDS)
        lanes.append(threading.Thread(target=self._watch.run, args=watch, name="watch"))
        for thread in lanes:
            thread.start()
        for thread in lanes:
            thread.join()

    def _lane(self, lane: Lane) -> None:
        begun: dict[str, Any] = {}
        while not self.stopping.is_set():
            try:
                seen = self._watch.count  # before looking: what comes afterwards is a change
                task = self._tw.tasks.lease(lane, self._name)
                if task is None:
                    begun.clear()  # of tasks that were cancelled or paused
                    self._watch.wait(seen, self._tw.tasks.quiet(lane, LOOK_SECONDS))
                else:
                    self._do(task, begun)
            except TunewrightError as error:  # the catalog: busy, or its disk is full
                log.warning("lane %s: %s", lane, error.message)
                self.stopping.wait(RETRY_SECONDS)
            except Exception:  # whatever it is, the lane serves everybody: it goes on
                log.exception("lane %s", lane)
                self.stopping.wait(RETRY_SECONDS)

    def _do(self, task: Task, begun: dict[str, Any]) -> None:
        """Do a task once. What it cannot finish goes back to the queue, MAX_ATTEMPTS times."""
        assignment = Assignment(self._tw, task, self.stopping, begun)
        try:
            if task.fruitless > MAX_ATTEMPTS and task.kind in ("check", "fine-tune"):
                raise JobFailed(
                    f"The job ended its worker {MAX_ATTEMPTS} times in a row without getting any "
                    f"further. The reason is in jobs/{task.subject}/log.txt on the server.",
                    code="worker_crashed",
                )
            KINDS[task.kind](assignment)
        except LostLease as lost:
            log.warning("%s", lost)
        except Held:
            assignment.step_aside()
        except Moved:
            assignment.drop()
        except JobFailed as error:
            assignment.fail(error)
        except StorageFull as full:
            assignment.wait_for_space(full)
        except Exception:
            log.exception("task %s (%s), attempt %s", task.id, task.kind, task.attempt)
            assignment.try_again(RETRY_SECONDS)
