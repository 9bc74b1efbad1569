"""The first task of a batch: can its file be worked through? Then it runs, else it fails."""

import logging

from tunewright.errors import JobFailed, TunewrightError
from tunewright.records.batches import Batch, BatchError, BatchErrors, RequestCounts
from tunewright.records.record import now
from tunewright.resources.progress import Moved
from tunewright.wording import counted
from tunewright.work.assignment import Assignment
from tunewright.work.batch_endpoints import ENDPOINTS
from tunewright.work.batch_lines import Checking
from tunewright.work.heartbeat import Heartbeat
from tunewright.work.turn import Turn

log = logging.getLogger(__name__)


class CheckBatch(Assignment):
    """Given up, the batch fails."""

    called = "The check of the batch"

    def run(self) -> None:
        tasks, task = self.tw.tasks, self.task
        with Heartbeat(tasks, task, self.stopping, lambda: None) as heartbeat:
            batch = self.acting.batches.retrieve(task.subject)
            if batch.status != "validating":
                raise Moved(f"{batch.id} is {batch.status}")
            file = self.tw.blobs.path(batch.input_file_id)
            check = self.begun.pop(task.id, None) or Checking(file, batch.endpoint)
            done = check.go_on(Turn(tasks, task, heartbeat).is_over)
        if done:
            return self._decide(batch, check)
        tasks.renew(task)  # raises where nobody wants it any longer
        if self.stopping.is_set():
            return self.give_back()
        self.begun[task.id] = check
        return tasks.pass_on(task)

    def failed(self, error: JobFailed) -> None:
        data = [BatchError(code=error.code or "error", message=error.message)]
        self._fail(self.task.subject, data)

    def _decide(self, batch: Batch, check: Checking) -> None:
        if not check.errors:
            self._look_for_model(batch, check)
        with self.tw.catalog.transaction():
            self.tw.tasks.finish(self.task)
            if check.errors:
                return self._fail(batch.id, check.errors)
            self.acting.batches.move(
                batch.id,
                "validating",
                status="in_progress",
                in_progress_at=now(),
                model=check.model,
                request_counts=RequestCounts(total=check.total),
            )
            self.tw.tasks.enqueue("batch", batch.id, self.task.organisation)
        log.info("%s: %s to be answered", batch.id, counted(check.total, "request"))
        return None

    def _look_for_model(self, batch: Batch, check: Checking) -> None:
        try:
            self.acting.models.weights(check.model or "", ENDPOINTS[batch.endpoint].kinds)
        except TunewrightError as error:
            check.fail(error.code, error.message)

    def _fail(self, id: str, errors: list[BatchError]) -> None:
        self.acting.batches.move(
            id, "validating", status="failed", failed_at=now(), errors=BatchErrors(data=errors)
        )
        log.warning("%s failed: its file has %s", id, counted(len(errors), "error"))
