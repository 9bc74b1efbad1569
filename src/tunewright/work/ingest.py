"""Files are read into a vector store: a task a file, small ones of a store together.

Small ones share what costs much by itself: a call of the embedding model, a commit of the index, of
the chunks and of the catalog. A long one lets other organisations go first every two seconds. Where
a worker died, each of the files that it had goes on alone: one that ends its worker harms no other.
"""

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from tunewright.chunks import Chunk
from tunewright.errors import (
    BadRequest,
    Busy,
    Corrupt,
    JobFailed,
    NotFound,
    NotRunning,
    StorageFull,
    UnreadableDocument,
)
from tunewright.faults import fault
from tunewright.records.files import File
from tunewright.records.vector_store_files import LastError, VectorStoreFile
from tunewright.records.vector_stores import VectorStore
from tunewright.resources.ingestion import Intake
from tunewright.resources.progress import Moved
from tunewright.tasks import Held, LostLease, Task
from tunewright.work.assignment import Assignment
from tunewright.work.heartbeat import Heartbeat
from tunewright.work.turn import Turn, be_nice

log = logging.getLogger(__name__)

MOST_TOGETHER = 64  # files
SMALL_BYTES = 256 * 1024  # of a file that goes with others
AT_ONCE = 16_384
"""Tokens embedded by one call: some five seconds of all-MiniLM-L6-v2 on two cores."""
WAIT_SECONDS = 1.0  # for an engine that is not there, or tokens that are used up


@dataclass
class _Round:
    """`waiting`: tasks of files that nobody has read. `open`: those that were read, with what is
    left of them, in the order in which they are kept."""

    waiting: deque[Task]
    open: list[tuple[Task, Intake]] = field(default_factory=list)
    first_ended: bool = False

    @property
    def over(self) -> bool:
        return not self.waiting and not self.open


class Ingest(Assignment):
    """Given up, the file has failed; the others of its store go on."""

    called = "Reading the file"

    def run(self) -> None:
        be_nice()
        round = _Round(deque())
        try:
            self.acting.quota.reserve(1)  # before anything is read: used up, it is for a minute
            others = self._begin(round)
            with Heartbeat(
                self.tw.tasks, self.task, self.stopping, lambda: None, others
            ) as heartbeat:
                self._go_on(round, Turn(self.tw.tasks, self.task, heartbeat))
        except (Busy, NotRunning) as busy:
            log.info("reading files of %s waits: %s", self._store, busy.message)
            self.stopping.wait(WAIT_SECONDS)
        except (StorageFull, LostLease, Held, Moved):
            self._put_back(round)
            raise
        except (BadRequest, Corrupt) as error:
            self._put_back(round, blame=True)
            if len(round.open) > 1:  # it may be about another one
                raise
            raise JobFailed(error.message, code=error.code, param=error.param) from error
        except Exception:
            self._put_back(round, blame=True)
            raise
        self._put_back(round)
        self._end(round)

    def _begin(self, round: _Round) -> list[Task]:
        """What the round is of: this task, where it was before, and others."""
        begun: Intake | None = self.begun.pop(self.task.id, None)
        if begun is not None:
            round.open.append((self.task, begun))
            return []
        others = self._others()
        round.waiting.extend([self.task, *others])
        return others

    def failed(self, error: JobFailed) -> None:
        why = LastError(code="server_error", message=error.message)
        store, _, file = self.task.subject.partition("/")
        self.acting.attachments.move(store, file, status="failed", last_error=why)
        self.acting.removals.order_vectors(self.task.subject)

    @property
    def _store(self) -> str:
        return self.task.subject.partition("/")[0]

    def _others(self) -> list[Task]:
        """Small files of the same store, whose turn would come after this one."""
        file = self.acting.shelf.get(File, self.task.subject.partition("/")[2])
        if self.task.fruitless > 1 or file is None or file.bytes > SMALL_BYTES:
            return []
        return self.tw.tasks.lease_more(self.task, MOST_TOGETHER - 1)

    def _end(self, round: _Round) -> None:
        """What becomes of the first task: it alone may be longer than a turn."""
        if round.first_ended:
            return self.finish()
        self.tw.tasks.renew(self.task)  # raises where nobody wants it any longer
        if self.stopping.is_set():
            return self.give_back()
        left = (intake for task, intake in round.open if task is self.task)
        if intake := next(left, None):
            self.begun[self.task.id] = intake
        return self.tw.tasks.pass_on(self.task)

    def _put_back(self, round: _Round, *, blame: bool = False) -> None:
        """The others that are not done. blame: one of those that were read may be the cause of
        what went wrong, so that each is tried alone."""
        for task in round.waiting:
            self._unless_lost(self.tw.tasks.release, task)
        for task, _ in round.open:
            self._unless_lost(self.tw.tasks.retry if blame else self.tw.tasks.release, task)

    def _unless_lost(self, put_back: Callable[[Task], None], task: Task) -> None:
        if task is not self.task:
            with contextlib.suppress(LostLease):
                put_back(task)

    def _go_on(self, round: _Round, turn: Turn) -> None:
        while not round.over:
            self._read(round)
            if round.open:
                self._keep(round)
            if turn.is_over():
                return
            self.acting.quota.reserve(1)

    def _read(self, round: _Round) -> None:
        """Until there is enough for one call."""
        tokens = sum(chunk.tokens for _, intake in round.open for chunk in intake.left)
        while round.waiting and tokens < AT_ONCE:
            task = round.waiting.popleft()
            if (intake := self._intake(round, task)) is not None:
                round.open.append((task, intake))
                tokens += sum(chunk.tokens for chunk in intake.left)

    def _intake(self, round: _Round, task: Task) -> Intake | None:
        """None where the file cannot be read, or nobody wants it, or it shall come first."""
        ingestion = self.acting.ingestion
        with self.tw.catalog.reading():
            store, file = self.acting.shelf.get(VectorStore, self._store), self._wanted(task)
            uploaded = ingestion.uploaded(file) if file else None
        if store is None or file is None:
            self._close(round, task)
            return None
        if task is not self.task and uploaded and uploaded.bytes > SMALL_BYTES:
            self._unless_lost(self.tw.tasks.release, task)
            return None
        try:
            return ingestion.read(file, uploaded, ingestion.models.open(store), task.id)
        except UnreadableDocument as error:
            self._fail_file(round, task, error.code, error.message)
        except (BadRequest, NotFound) as error:
            self._fail_file(round, task, "server_error", error.message)
        return None

    def _wanted(self, task: Task) -> VectorStoreFile | None:
        found = self.acting.attachments.find(*task.subject.split("/"))
        return found if found and found.status == "in_progress" else None

    def _keep(self, round: _Round) -> None:
        """The store is claimed twice, each time for a moment: who takes a file out of it does not
        wait for the model."""
        ingestion = self.acting.ingestion
        with self._claimed(round) as store:
            embedder = ingestion.models.open(store)
            ingestion.begin(store.id, [intake for _, intake in round.open])
        portion = _portion(round.open)
        vectors, spent = ingestion.embedded(embedder, [pair for _, pair in portion])
        self.acting.quota.spend(spent - 1)
        with self._claimed(round) as now:
            if now.embedding != store.embedding:
                return  # embedded anew meanwhile: this is to be done once more
            ours = {task.id for task, intake in round.open if ingestion.still_begun(now.id, intake)}
            kept = [task.id in ours for task, (_, chunks) in portion for _ in chunks]
            there = [pair for task, pair in portion if task.id in ours]
            ingestion.keep(now, there, vectors[np.array(kept, bool)])
            ingestion.describe(now.id, [intake for _, intake in round.open if not intake.left])
            self._record(round, now)

    @contextmanager
    def _claimed(self, round: _Round) -> Iterator[VectorStore]:
        """The store as it is now, and the files of the round that are still wanted."""
        with self.tw.contents.claimed(self._store):
            store = self.acting.shelf.get(VectorStore, self._store)
            if store is None or store.status == "expired":
                self.tw.contents.drop(self._store)  # the claim has made its folder
                raise Moved(f"{self._store} is gone")
            self._refresh(round)
            yield store

    def _refresh(self, round: _Round) -> None:
        """Their attributes may be others now, or they are not wanted any more."""
        with self.tw.catalog.reading():
            found = [(task, intake, self._wanted(task)) for task, intake in round.open]
        for task, intake, file in found:
            if file:
                intake.file = file
            else:
                round.open.remove((task, intake))
                self._close(round, task)

    def _record(self, round: _Round, store: VectorStore) -> None:
        """Those that are whole are found from now on, all at the same moment."""
        whole = [(task, intake) for task, intake in round.open if not intake.left]
        dimensions = store.embedding.dimensions
        with self.tw.catalog.transaction():
            ours = {task.id for task in self.tw.tasks.ours([task for task, _ in round.open])}
            used = {i.file.id: i.bytes(dimensions) for task, i in whole if task.id in ours}
            self.acting.attachments.complete(store.id, used)
            self.tw.tasks.finish_all([task for task, _ in whole if task is not self.task])
            for task, intake in round.open:
                if task.id in ours and intake.left and intake.done:
                    self.tw.tasks.advance(task, intake.done)
        fault("ingest.recorded")
        for task, intake in whole:
            round.open.remove((task, intake))
            round.first_ended |= task is self.task

    def _fail_file(self, round: _Round, task: Task, code: str | None, message: str) -> None:
        why = LastError.model_validate({"code": code, "message": message})
        store, file = task.subject.split("/")
        begun = self.tw.contents.chunks(store).begun(file)
        with contextlib.suppress(LostLease, Moved), self.tw.catalog.transaction():
            self.tw.tasks.guard(task)
            self.acting.attachments.move(store, file, status="failed", last_error=why)
            if begun:  # by another reading of it
                self.acting.removals.order_vectors(task.subject)
        self._close(round, task)

    def _close(self, round: _Round, task: Task) -> None:
        """Nothing is left to do for it. The first one's lease is what the others go on under."""
        if task is self.task:
            round.first_ended = True
        else:
            self._unless_lost(self.tw.tasks.finish, task)


def _portion(read: Iterable[tuple[Task, Intake]]) -> list[tuple[Task, tuple[Intake, list[Chunk]]]]:
    """The next chunks of these files, for one call."""
    room = AT_ONCE
    some: list[tuple[Task, tuple[Intake, list[Chunk]]]] = []
    for task, intake in read:
        taken: list[Chunk] = []
        for chunk in intake.left:
            if room <= 0:
                break
            taken.append(chunk)
            room -= chunk.tokens
        if taken:
            some.append((task, (intake, taken)))
    return some
