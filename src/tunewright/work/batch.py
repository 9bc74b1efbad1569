"""The second task of a batch: its requests are answered, and then it has its files.

Answers are kept on disk as they come (`batch_answers`). After a crash the task is leased again:
what is kept there is not asked again, and what was under way is, with the same ids. Cancelled or
out of time, the batch ends in the same way with what it has.
"""

import contextlib
import itertools
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from tunewright import durable
from tunewright.app import Acting
from tunewright.errors import JobFailed, QuotaExceeded
from tunewright.faults import fault
from tunewright.records.batches import ENDED, Batch, BatchError, BatchErrors
from tunewright.records.files import File
from tunewright.records.record import now
from tunewright.resources.progress import Moved
from tunewright.tasks import LostLease
from tunewright.wording import counted
from tunewright.work.assignment import Assignment
from tunewright.work.batch_answers import Answers
from tunewright.work.batch_asking import Asking
from tunewright.work.batch_endpoints import ENDPOINTS
from tunewright.work.batch_lines import Naming, file_id, groups, requests
from tunewright.work.batch_round import Round
from tunewright.work.heartbeat import Heartbeat
from tunewright.work.turn import Turn, be_nice

log = logging.getLogger(__name__)

TURN_SECONDS = 5.0
"""So long does a batch go on while those of other organisations wait."""
LOOK_SECONDS = 0.5  # between two looks whether it has been cancelled
QUOTA_SECONDS = 1.0
SETTLE_SECONDS = 4.0  # a server that stops gives its worker 8

End = Literal["completed", "expired", "cancelled", "failed"]
_UNASKED: dict[End, tuple[str, str]] = {
    "expired": (
        "batch_expired",
        "This request could not be executed before the completion window expired.",
    ),
    "cancelled": (
        "batch_cancelled",
        "This request was not executed, because the batch was cancelled.",
    ),
    "failed": (
        "batch_failed",
        "This request was not executed, because the batch was given up: `errors` of the batch "
        "says why.",
    ),
}


@dataclass
class _State:
    """What goes from one turn of a batch to its next."""

    answers: Answers
    round: Round


class RunBatch(Assignment):
    called = "The batch"

    def run(self) -> None:
        be_nice()
        with Heartbeat(self.tw.tasks, self.task, self.stopping, lambda: None) as heartbeat:
            batch = self._batch()
            state = self.begun.pop(batch.id, None) or self._state(batch)
            kept = False
            try:
                kept = self._go_on(batch, state, heartbeat)
            finally:
                if kept:
                    self.begun[batch.id] = state
                else:
                    state.answers.close()
                    if ENDPOINTS[batch.endpoint].computes:
                        state.round.settle(SETTLE_SECONDS)

    def fail(self, error: JobFailed) -> bool:
        """Given up, it fails, with what it has."""
        try:
            with (
                Heartbeat(self.tw.tasks, self.task, self.stopping, lambda: None),
                self._answers() as answers,
            ):
                self._end("failed", answers, BatchErrors(data=[_error(error)]))
        except (Moved, LostLease):
            return False
        return True

    @cached_property
    def _asking(self) -> Acting:
        """Its requests wait in a queue of their own, beside those that the organisation sends
        while it runs."""
        return self.tw.acting(self.acting.caller, background=True)

    def _batch(self) -> Batch:
        found = self.acting.batches.retrieve(self.task.subject)
        if found.status in ENDED:
            raise Moved(f"{found.id} is {found.status}")
        return found

    def _state(self, batch: Batch) -> _State:
        answers = self._answers()
        path = self.tw.blobs.path(batch.input_file_id)
        missing = (
            group
            for group in groups(path, batch.endpoint)
            if any(one.number not in answers for one in group)
        )
        at_once = ENDPOINTS[batch.endpoint].at_once
        return _State(answers, Round(missing, Asking(self._asking, batch), at_once))

    def _answers(self) -> Answers:
        """Waits until nobody else adds to them: a worker that has lost its lease, and is about to
        notice it."""
        while True:
            try:
                return Answers(self.tw.home.batch(self.task.subject))
            except durable.InUse:
                self.tw.tasks.renew(self.task)
                self.stopping.wait(0.1)

    def _go_on(self, batch: Batch, state: _State, heartbeat: Heartbeat) -> bool:
        """Whether it goes on later: it is somebody else's turn."""
        watch = _Watch(self, heartbeat)
        try:
            if not watch.end:
                self.acting.quota.check_disk(state.answers.size)
            for answered in state.round.go_on(watch.enough, lambda: heartbeat.over):
                state.answers.add(answered)
                fault("batch.kept")
                self._tell(batch, state.answers)
        except QuotaExceeded as full:
            return self._wait_for_quota(full)
        self.tw.tasks.renew(self.task)  # raises where somebody else has it
        if self.stopping.is_set():
            self.give_back()
        elif end := watch.end or ("completed" if state.round.done else None):
            self._end(end, state.answers)
        else:
            self.tw.tasks.pass_on(self.task)
            return True
        return False

    def _tell(self, batch: Batch, answers: Answers) -> None:
        """Raises QuotaExceeded where the organisation may not keep any more."""
        total = batch.request_counts.total
        with self.tw.catalog.transaction():
            self.tw.tasks.guard(self.task)
            self.tw.tasks.advance(self.task, len(answers))
            self.acting.batches.move(
                batch.id, request_counts=answers.counts(total), usage=answers.usage()
            )
        self.acting.quota.check_disk(answers.size)

    def _wait_for_quota(self, full: QuotaExceeded) -> bool:
        log.warning("%s waits: %s", self.task.subject, full.message)
        self.stopping.wait(QUOTA_SECONDS)
        self.tw.tasks.pass_on(self.task)
        return True

    def _end(self, end: End, answers: Answers, errors: BatchErrors | None = None) -> None:
        """Write the files and show them, together with how it ended. Can be repeated."""
        batch = self._finalizing()
        end = "cancelled" if batch.status == "cancelling" else end
        files = _Files(self, batch)
        with files:
            output = files.write("output", answers.good())
            error = files.write("error", answers.bad(self._unasked(batch, end, answers)))
            fault("batch.written")
            with self.tw.catalog.transaction():
                self.tw.tasks.finish(self.task)
                self.tw.tasks.cancel(batch.id)  # another task of it that waits
                ended = self.acting.batches.move(
                    batch.id,
                    status=end,
                    output_file_id=output,
                    error_file_id=error,
                    request_counts=answers.counts(batch.request_counts.total),
                    usage=answers.usage(),
                    errors=errors,
                    **{f"{end}_at": now()},
                )
                files.publish()
        durable.remove(self.tw.home.batch(batch.id))
        log.info("%s %s: %s", batch.id, end, _summary(ended))

    def _finalizing(self) -> Batch:
        """One that is cancelled is `cancelling` until it has its files."""
        with self.tw.catalog.transaction():
            self.tw.tasks.guard(self.task)
            batch = self._batch()
            if batch.status in ("cancelling", "finalizing"):
                return batch
            return self.acting.batches.move(batch.id, status="finalizing", finalizing_at=now())

    def _unasked(self, batch: Batch, end: End, answers: Answers) -> Iterator[tuple[int, bytes]]:
        """Error lines of the requests that nobody will ask any more. None where the file was never
        checked to its end."""
        if end not in _UNASKED or batch.in_progress_at is None:
            return
        for asked in requests(self.tw.blobs.path(batch.input_file_id)):
            if asked.number not in answers:
                yield asked.number, Naming(batch).unasked(asked, *_UNASKED[end])


class _Watch:
    """Whether a batch is to stop asking, and `end`, how it then ends; None: it goes on later."""

    def __init__(self, assignment: RunBatch, heartbeat: Heartbeat) -> None:
        self.end: End | None = None
        self._assignment = assignment
        self._turn = Turn(assignment.tw.tasks, assignment.task, heartbeat, TURN_SECONDS)
        self._began = False
        self._over = False
        self._look()

    def enough(self) -> bool:
        """However short its turn is, some are asked in it."""
        if not self._over and time.monotonic() >= self._next_look:
            self._look()
        self._over = self._over or (self._began and self._turn.is_over())
        self._began = True
        return self._over

    def _look(self) -> None:
        self._next_look = time.monotonic() + LOOK_SECONDS
        batch = self._assignment.acting.batches.retrieve(self._assignment.task.subject)
        if batch.status == "cancelling":
            self.end = "cancelled"
        elif batch.expires_at <= now():
            self.end = "expired"
        self._over = self.end is not None


class _Files(contextlib.ExitStack):
    """What a batch leaves. Their ids follow from its own, so that writing them again gives the
    same files; their bytes are in use until the records are there."""

    def __init__(self, assignment: RunBatch, batch: Batch) -> None:
        super().__init__()
        self._assignment = assignment
        self._batch = batch
        self._made: list[File] = []

    def write(self, what: Literal["output", "error"], lines: Iterable[bytes]) -> str | None:
        """The id of the file; None where there is no line."""
        id, lines = file_id(self._batch, what), iter(lines)
        first = next(lines, None)
        if first is None:
            return None
        upload = self.enter_context(self._assignment.tw.blobs.upload(id))
        for line in itertools.chain([first], lines):
            upload.write(line + b"\n")
        upload.commit()
        life = self._batch.output_expires_after
        made = now()
        self._made.append(
            File(
                id=id,
                bytes=upload.bytes,
                created_at=made,
                expires_at=made + life.seconds if life else None,
                filename=f"{self._batch.id}_{what}.jsonl",
                purpose="batch_output",
            )
        )
        return id

    def publish(self) -> None:
        for file in self._made:
            self._assignment.acting.shelf.put(file)


def _error(error: JobFailed) -> BatchError:
    return BatchError(code=error.code or "error", message=error.message, param=error.param)


def _summary(batch: Batch) -> str:
    counts = batch.request_counts
    return (
        f"{counted(counts.completed, 'answer')} to {counted(counts.total, 'request')}, "
        f"{counts.failed:,} failed"
    )
