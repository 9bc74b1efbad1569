"""Removes what was deleted: the bytes of a model as soon as nobody is being answered with it."""

import logging

from tunewright.errors import TunewrightError
from tunewright.records.models import Weights
from tunewright.work.assignment import Assignment
from tunewright.work.heartbeat import Heartbeat

log = logging.getLogger(__name__)

WAIT_SECONDS = 0.5


def run(assignment: Assignment) -> None:
    """Ends when it is done, however long that takes: no number of attempts makes it a failure."""
    with Heartbeat(assignment.tw.tasks, assignment.task, assignment.stopping, lambda: None):
        while not assignment.stopping.is_set():
            if _unused(assignment) and _removed(assignment):
                return
            assignment.stopping.wait(WAIT_SECONDS)
    assignment.give_back()


def _unused(assignment: Assignment) -> bool:
    """Whether the engine has let go of the model: it does not while it generates with it."""
    weights = assignment.acting.shelf.get(Weights, assignment.task.subject)
    if weights is None or not assignment.tw.home.engine_running.exists():
        return True
    try:
        assignment.tw.engine.unload(weights.deleted_name or "", if_idle=True)
    except TunewrightError as error:
        log.info("removing %s waits: %s", weights.id, error.message)
        return False
    return True


def _removed(assignment: Assignment) -> bool:
    try:
        return assignment.acting.removals.carry_out(assignment.task.subject)
    except OSError as error:
        log.warning("could not remove: %s", error)
        return False
