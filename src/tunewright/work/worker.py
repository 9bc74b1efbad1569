"""The worker: leases tasks and does them, one at a time in each lane."""

import logging
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from tunewright.app import Tunewright
from tunewright.errors import JobFailed, StorageFull, TunewrightError
from tunewright.resources.progress import Moved
from tunewright.tasks import KINDS, LANES, Held, Lane, LostLease, Task
from tunewright.work import expiry
from tunewright.work.assignment import Assignment
from tunewright.work.changes import Watch

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.25
LOOK_SECONDS = 60.0
RETRY_SECONDS = 2.0


class Worker:
    def __init__(self, tw: Tunewright, name: str, lanes: Sequence[Lane] = LANES) -> None:
        self._tw = tw
        self._name = name
        self._lanes = lanes
        self._watch = Watch(tw.home.catalog)
        self.stopping = threading.Event()

    def run(self) -> None:
        """Work until `stopping` is set."""
        watch = (self.stopping, IDLE_SECONDS)
        threads = [
            *(threading.Thread(target=self._lane, args=(lane,), name=lane) for lane in self._lanes),
            threading.Thread(target=expiry.run, args=(self._tw, self.stopping), name="expiry"),
            threading.Thread(target=self._watch.run, args=watch, name="watch"),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
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
        """Do a task once. What it cannot finish goes back to the queue, as often as its kind
        says."""
        assignment = assigned(task)(self._tw, task, self.stopping, begun)
        attempts = KINDS[task.kind].attempts
        try:
            if attempts is not None and task.fruitless > attempts:
                raise JobFailed(
                    f"{assignment.called} ended its worker {attempts} times in a row without "
                    f"getting any further. The reason is in {assignment.log} on the server.",
                    code="worker_crashed",
                )
            assignment.run()
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
        except Exception as error:
            assignment.crashed(error)
            assignment.try_again(RETRY_SECONDS)


def assigned(task: Task) -> type[Assignment]:
    """What does a task of its kind."""
    module, _, name = KINDS[task.kind].work.partition(":")
    return getattr(import_module(module), name)
