"""Removes what was deleted: the bytes of a model as soon as nobody is being answered with it."""

import logging

from tunewright.errors import TunewrightError
from tunewright.records.removals import Removal
from tunewright.work.assignment import Assignment
from tunewright.work.heartbeat import Heartbeat

log = logging.getLogger(__name__)

WAIT_SECONDS = 0.5


class Remove(Assignment):
    """Ends when it is done, however long that takes: no number of attempts makes it a failure."""

    def run(self) -> None:
        with Heartbeat(self.tw.tasks, self.task, self.stopping, lambda: None):
            while not self.stopping.is_set():
                if self._unused() and self._removed():
                    return
                self.stopping.wait(WAIT_SECONDS)
        self.give_back()

    def _unused(self) -> bool:
        """Whether the engine has let go of the model: it does not while it generates with it."""
        ordered = self.acting.shelf.get(Removal, self.task.subject)
        if ordered is None or not self.tw.home.engine_running.exists():
            return True
        try:
            self.tw.engine.unload(ordered.name, if_idle=True)
        except TunewrightError as error:
            log.info("removing %s waits: %s", ordered.id, error.message)
            return False
        return True

    def _removed(self) -> bool:
        try:
            return self.acting.removals.carry_out(self.task.kind, self.task.subject)
        except OSError as error:
            log.warning("could not remove: %s", error)
            return False
