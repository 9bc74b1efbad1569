"""A table whose texts are embedded, batch by batch; each batch is safe when it is done.

After a crash the task is leased again and goes on after the last batch, as the command does that
is repeated: how far it is lies beside the output (`resources.table_plans`), not in the catalog.
"""

import time

from tunewright.errors import BadRequest, Busy, JobFailed, NotFound
from tunewright.records.record import now
from tunewright.records.tables import EmbeddedTable, QueuedTable, TableEvent, TableProgress
from tunewright.resources.embedding_tables import Progressing
from tunewright.resources.progress import Progress
from tunewright.work.assignment import OnRecord
from tunewright.work.heartbeat import Heartbeat
from tunewright.work.turn import Turn, be_nice

SAY_SECONDS = 0.5  # between two reports
GIVEN = {"column", "template", "model", "sheet", "prompt_name", "overwrite"}
BUSY_SECONDS = 1.0


class EmbedTable(OnRecord):
    """Given up, the table fails."""

    called = "The table"

    def run(self) -> None:
        be_nice()
        table = self._begin()
        steps = self.begun.pop(self.task.id, None) or self._steps(table)
        try:
            with Heartbeat(self.tw.tasks, self.task, self.stopping, lambda: None) as heartbeat:
                done = self._go_on(steps, heartbeat)
            if done is not None:
                return self._succeed(done)
            self._go_on_later(steps)
            steps = None
        except (BadRequest, NotFound) as error:
            raise JobFailed(error.message, code=error.code, param=error.param) from error
        except Busy as busy:
            self._wait(busy)
        finally:
            if steps is not None:
                steps.close()  # lets go of the output

    @property
    def progress(self) -> Progress[QueuedTable, TableEvent]:
        return self.acting.tables.progress

    def _begin(self) -> QueuedTable:
        with self.tw.catalog.transaction():
            self.tw.tasks.guard(self.task)
            table = self.progress.move(self.task.subject, status="running")
            self.progress.say(table.id, "started", "Table started")
        return table

    def _steps(self, table: QueuedTable) -> Progressing:
        return self.acting.embeddings.tables.steps(
            table.file, table.output, **table.model_dump(include=GIVEN)
        )

    def _go_on_later(self, steps: Progressing) -> None:
        self.tw.tasks.renew(self.task)  # raises where nobody wants it any longer
        if self.stopping.is_set():
            steps.close()
            return self.give_back()
        self.begun[self.task.id] = steps
        return self.tw.tasks.pass_on(self.task)

    def _wait(self, busy: Busy) -> None:
        """Another process has the output, such as a worker that has lost its lease and is about to
        notice it; or tokens are used up."""
        self.begun.clear()  # a table that was cancelled may have it
        self.say(f"busy-{busy.code}", f"Waiting: {busy.message}", level="warn")
        self.stopping.wait(BUSY_SECONDS)
        self.tw.tasks.pass_on(self.task)

    def _go_on(self, steps: Progressing, heartbeat: Heartbeat) -> EmbeddedTable | None:
        """None where it is somebody else's turn, or nobody wants it any longer."""
        turn = Turn(self.tw.tasks, self.task, heartbeat)
        said = 0.0
        while True:
            try:
                progress = next(steps)
            except StopIteration as end:
                return end.value
            ends = turn.is_over()
            if ends or time.monotonic() - said >= SAY_SECONDS:
                said = time.monotonic()
                self._tell(progress)
            if ends:
                return None

    def _tell(self, progress: TableProgress) -> None:
        with self.tw.catalog.transaction():
            self.tw.tasks.guard(self.task)
            self.tw.tasks.advance(self.task, progress.rows + progress.writing)
            self.acting.tables.tell(self.task.subject, progress)

    def _succeed(self, done: EmbeddedTable) -> None:
        with self.tw.catalog.transaction():
            self.tw.tasks.finish(self.task)
            id = self.task.subject
            self.progress.move(id, status="succeeded", result=done, finished_at=now())
            self.progress.say(
                id, "succeeded", f"Table done: {done.embedded:,} texts in {done.output}"
            )
