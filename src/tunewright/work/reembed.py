"""The texts of a vector store are embedded anew, some at a time; each is safe when it is done."""

from tunewright.errors import BadRequest, Busy, JobFailed, NotFound, NotRunning
from tunewright.records.reembeddings import Reembedding
from tunewright.resources.embedding_anew import Anew
from tunewright.resources.reembeddings import Reembeddings
from tunewright.work.assignment import Assignment
from tunewright.work.heartbeat import Heartbeat
from tunewright.work.turn import Turn, be_nice

WAIT_SECONDS = 1.0


class Reembed(Assignment):
    """Given up, it has failed; the store keeps the vectors that it has."""

    called = "Embedding the store anew"

    def run(self) -> None:
        be_nice()
        found = self._begin()
        try:
            anew = self.begun.pop(self.task.id, None) or self.acting.embedding_anew.open(found)
            with Heartbeat(self.tw.tasks, self.task, self.stopping, lambda: None) as heartbeat:
                if self._go_on(anew, Turn(self.tw.tasks, self.task, heartbeat)):
                    return self._change_over(anew)
            self.tw.tasks.renew(self.task)  # raises where nobody wants it any longer
            self.begun[self.task.id] = anew
        except (BadRequest, NotFound) as error:
            raise JobFailed(error.message, code=error.code, param=error.param) from error
        except (Busy, NotRunning):
            self.stopping.wait(WAIT_SECONDS)
        if self.stopping.is_set():
            return self.give_back()
        return self.tw.tasks.pass_on(self.task)

    def failed(self, error: JobFailed) -> None:
        self._records.fail(self.task.subject, error)

    @property
    def _records(self) -> Reembeddings:
        return self.acting.vector_stores.reembeddings

    def _begin(self) -> Reembedding:
        found = self._records.retrieve(self.task.subject)
        if not found.begun:
            self.acting.embedding_anew.prepare(found)
        with self.tw.catalog.transaction():
            self.tw.tasks.guard(self.task)
            return self._records.move(found.id, status="running", begun=True)

    def _go_on(self, anew: Anew, turn: Turn) -> bool:
        """Whether all texts that were there have a vector."""
        self.acting.quota.reserve(1)
        for tokens in anew.steps():
            self.acting.quota.spend(tokens)
            self._tell(anew)
            if turn.is_over():
                return False
            self.acting.quota.reserve(1)
        return True

    def _tell(self, anew: Anew) -> None:
        done, chunks = len(anew.done), anew.chunks()
        with self.tw.catalog.transaction():
            self.tw.tasks.guard(self.task)
            self.tw.tasks.advance(self.task, done)
            self._records.move(self.task.subject, done=min(done, chunks), chunks=chunks)

    def _change_over(self, anew: Anew) -> None:
        with anew.complete() as counts, self.tw.catalog.transaction():
            self.tw.tasks.finish(self.task)
            self._records.change_over(self._records.retrieve(self.task.subject), counts)
