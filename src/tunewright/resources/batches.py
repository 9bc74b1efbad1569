"""Batches: asked for here; checked (`work.batch_check`), answered (`work.batch`) by the worker."""

from collections.abc import Iterator
from typing import Any

import orjson

from tunewright.catalog.catalog import Shelf
from tunewright.errors import BadRequest, NotFound
from tunewright.records.batches import (
    ENDED,
    OPEN,
    WINDOW_SECONDS,
    Batch,
    BatchRequest,
    BatchStatus,
)
from tunewright.records.files import BATCH_BYTES, File
from tunewright.records.pages import Page, PageRequest
from tunewright.records.record import now
from tunewright.resources.files import Files
from tunewright.resources.progress import changes, move
from tunewright.tasks import Tasks
from tunewright.usage import Quota


class Batches:
    def __init__(self, shelf: Shelf, files: Files, tasks: Tasks, quota: Quota) -> None:
        self._shelf = shelf
        self._files = files
        self._tasks = tasks
        self._quota = quota

    def create(self, /, **given: Any) -> Batch:
        """Have the requests of a file answered. `given`: the fields of `BatchRequest`.

        The file is checked afterwards, for which nobody waits: what is wrong with it is in `errors`
        of the batch, which fails. Raises BadRequest for an unknown file or one of another purpose,
        Busy or QuotaExceeded where the organisation may not have one more.
        """
        self._quota.admit()
        request: BatchRequest = BatchRequest.parse(given)
        with self._shelf.catalog.transaction():
            self._quota.check_batches()
            self._quota.check_disk(0)
            self._check_file(request.input_file_id)
            made = now()
            batch = Batch(**dict(request), created_at=made, expires_at=made + WINDOW_SECONDS)
            self._shelf.put(batch)
            self._tasks.enqueue("batch-check", batch.id, self._shelf.organisation)
        return batch

    def _check_file(self, id: str) -> None:
        file = self._shelf.get(File, id)
        if file is None:
            raise BadRequest(
                f"Invalid 'input_file_id': No such File object: {id}",
                param="input_file_id",
                code="file_not_found",
            )
        if file.purpose != "batch":
            raise BadRequest(
                f"Invalid 'input_file_id': {id} has the purpose '{file.purpose}', and must have "
                "'batch'. Upload it again with that.",
                param="input_file_id",
                code="invalid_file_purpose",
            )
        if file.bytes > BATCH_BYTES:
            raise BadRequest(
                f"Invalid 'input_file_id': {id} has {file.bytes:,} bytes, and a batch may have "
                f"{BATCH_BYTES:,}. Make several files of it.",
                param="input_file_id",
                code="file_too_large",
            )

    def list(self, /, **given: Any) -> Page[Batch]:
        """Newest first. `given`: the fields of `PageRequest`."""
        query: PageRequest = PageRequest.parse(given)
        return self._shelf.page(Batch, after=query.after, limit=query.limit)

    def retrieve(self, id: str) -> Batch:
        if found := self._shelf.get(Batch, id):
            return found
        raise NotFound(f"No batch found with id '{id}'.", param="id")

    def cancel(self, id: str) -> Batch:
        """Ask nothing more. What is answered by then is kept: a moment later the batch is
        `cancelled`, and has its files. Raises BadRequest for one that has ended."""
        with self._shelf.catalog.transaction():
            batch = self.retrieve(id)
            if batch.status == "cancelling":
                return batch
            if batch.status not in ("validating", "in_progress"):
                raise BadRequest(
                    f"Cannot cancel a batch with status '{batch.status}'.",
                    param="id",
                    code="invalid_batch_status",
                )
            self._end_soon(id)
            return self.move(id, status="cancelling", cancelling_at=now())

    def _end_soon(self, id: str) -> None:
        """For one that waits behind others: a task that goes before theirs."""
        self._tasks.enqueue_once("batch-end", id, self._shelf.organisation)

    def follow(self, id: str, *, seconds: float = 0.5) -> Iterator[Batch]:
        """The batch whenever it has changed, until it has ended."""
        return changes(lambda: self.retrieve(id), OPEN, seconds=seconds)

    def wait(self, id: str) -> Batch:
        """The batch, once it has ended. Needs a worker, of this process or of a server."""
        *_, last = self.follow(id)
        return last

    def results(self, id: str, *, errors: bool = False) -> Iterator[dict[str, Any]]:
        """The lines of its output file, or of its error file, as objects; none where it has no such
        file. Raises BadRequest for one that has not ended, NotFound where the file was deleted."""
        for line in self.result_lines(id, errors=errors):
            yield orjson.loads(line)

    def result_lines(self, id: str, *, errors: bool = False) -> Iterator[bytes]:
        """The same as they stand in the file, each with its end."""
        batch = self.retrieve(id)
        if batch.status not in ENDED:
            raise BadRequest(
                f"{id} has not ended ({batch.status}). Its answers can be read when it has.",
                param="id",
                code="invalid_batch_status",
            )
        file = batch.error_file_id if errors else batch.output_file_id
        if file is None:
            return
        with self._files.path(file).open("rb") as opened:
            yield from opened

    def move(self, id: str, *leaving: BatchStatus, **update: Any) -> Batch:
        """Change a batch that is in one of these statuses (where none is named, one that has not
        ended). Raises Moved otherwise."""
        return move(self._shelf, Batch, id, leaving or OPEN, **update)

    def sweep(self) -> None:
        """Have those ended whose time is over, also where their turn has not come."""
        for status in OPEN:
            for batch in self._shelf.all(Batch, where={"status": status}):
                if batch.expires_at <= now():
                    self._end_soon(batch.id)
