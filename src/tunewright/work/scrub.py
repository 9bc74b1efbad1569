"""Wipes what was deleted from the catalog's write-ahead log too, as soon as no reader is in the
way, such as a backup."""

from tunewright.work.assignment import Assignment
from tunewright.work.heartbeat import Heartbeat

TRY_SECONDS = 0.1
"""So long at a time may the writers wait for it."""
WAIT_SECONDS = 2.0


def run(assignment: Assignment) -> None:
    """Ends when it is done, however long that takes; removals that are ordered meanwhile go
    first."""
    tasks, task, stopping = assignment.tw.tasks, assignment.task, assignment.stopping
    with Heartbeat(tasks, task, stopping, lambda: None):
        while not stopping.is_set():
            if assignment.tw.catalog.scrub(seconds=TRY_SECONDS):
                return tasks.discard(task)
            if tasks.others_wait(task):
                return tasks.pass_on(task)
            stopping.wait(WAIT_SECONDS)
    return assignment.give_back()
