"""Wipes what was deleted from the catalog's write-ahead log too, as soon as no reader is in the
way, such as a backup."""

from tunewright.work.assignment import Assignment
from tunewright.work.heartbeat import Heartbeat

TRY_SECONDS = 0.1
"""So long at a time may the writers wait for it."""
WAIT_SECONDS = 2.0


class Scrub(Assignment):
    """Ends when it is done, however long that takes; removals that are ordered meanwhile go
    first."""

    def run(self) -> None:
        tasks, task, stopping = self.tw.tasks, self.task, self.stopping
        with Heartbeat(tasks, task, stopping, lambda: None):
            while not stopping.is_set():
                if self.tw.catalog.scrub(seconds=TRY_SECONDS):
                    return tasks.discard(task)
                if tasks.others_wait(task):
                    return tasks.pass_on(task)
                stopping.wait(WAIT_SECONDS)
        return self.give_back()
