"""Files: uploaded data and results."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from tunewright import names
from tunewright.blobs.blobs import Blobs
from tunewright.catalog.catalog import Shelf
from tunewright.errors import BadRequest, NotFound, PayloadTooLarge
from tunewright.faults import fault
from tunewright.records.batches import ENDED as ENDED_BATCH
from tunewright.records.batches import Batch
from tunewright.records.checks import FileCheck, FileCheckRequest
from tunewright.records.files import (
    BATCH_BYTES,
    BATCH_SECONDS,
    UPLOAD_PURPOSES,
    ExpiresAfter,
    File,
    FileOptions,
    Purpose,
)
from tunewright.records.jobs import ENDED, Job
from tunewright.records.pages import Deleted, FilePageRequest, Page
from tunewright.records.record import new_id, now
from tunewright.resources.attachments import Attachments
from tunewright.resources.checking import Checking
from tunewright.resources.removals import Removals, is_orphan
from tunewright.stepwise import Steps, finish
from tunewright.usage import Quota

CHUNK = 1024 * 1024


class Files:
    def __init__(
        self,
        shelf: Shelf,
        blobs: Blobs,
        limit: int,
        removals: Removals,
        checking: Checking,
        quota: Quota,
        attachments: Attachments,
    ) -> None:
        self._shelf = shelf
        self._blobs = blobs
        self._limit = limit
        self._removals = removals
        self._checking = checking
        self._quota = quota
        self._attachments = attachments

    def create(
        self,
        *,
        file: Path | str | BinaryIO | bytes,
        purpose: str,
        filename: str | None = None,
        expires_after: dict[str, Any] | None = None,
    ) -> File:
        """Store a file whole. `file`: a path, an open binary file, or bytes.

        expires_after: the fields of `ExpiresAfter`, for a file that deletes itself.

        Raises BadRequest for an empty file or an unknown purpose, PayloadTooLarge above the limit,
        QuotaExceeded where the organisation's files are too large together.
        """
        if isinstance(file, str | Path):
            with Path(file).open("rb") as opened:
                return self.create(
                    file=opened,
                    purpose=purpose,
                    filename=filename or Path(file).name,
                    expires_after=expires_after,
                )
        self._quota.admit()
        pieces = [file] if isinstance(file, bytes) else iter(lambda: file.read(CHUNK), b"")
        draft = self.draft()
        try:
            for piece in pieces:
                draft.write(piece)
            name = filename or str(getattr(file, "name", "upload"))
            return draft.finish(name, purpose, expires_after)
        finally:
            draft.close()

    def draft(self) -> "Draft":
        """A file that arrives in pieces; nothing is visible before `Draft.finish`."""
        return Draft(self._shelf, self._blobs, self._limit, self._quota)

    def list(self, /, **given: Any) -> Page[File]:
        """`given`: the fields of `FilePageRequest`."""
        query: FilePageRequest = FilePageRequest.parse(given)
        return self._shelf.page(
            File,
            after=query.after,
            limit=query.limit,
            newest_first=query.order == "desc",
            where={"purpose": query.purpose} if query.purpose else None,
        )

    def retrieve(self, id: str) -> File:
        found = self._shelf.get(File, id)
        if found is None:
            raise _no_such_file(id)
        return found

    def content(self, id: str) -> Iterator[bytes]:
        self.retrieve(id)
        try:
            return self._blobs.read(id)
        except KeyError:
            raise _no_such_file(id) from None

    def path(self, id: str) -> Path:
        """Where its bytes lie: only to be read. Raises NotFound."""
        self.retrieve(id)
        path = self._blobs.path(id)
        if not path.is_file():
            raise _no_such_file(id)
        return path

    def check(self, id: str, /, **given: Any) -> FileCheck:
        """The check that a job with this file begins with. `given`: the fields of
        `FileCheckRequest`. Takes some minutes for 100 MB of chats."""
        self._quota.admit()
        return finish(self.checking(id, **given))

    def checking(self, id: str, /, **given: Any) -> Steps[FileCheck]:
        """The same by steps."""
        request: FileCheckRequest = FileCheckRequest.parse(given)
        file = self.retrieve(id)
        try:
            path = self._blobs.path(id)
            return (yield from self._checking.checking(path, file.filename, request))
        except FileNotFoundError:  # deleted meanwhile
            raise _no_such_file(id) from None

    def delete(self, id: str) -> Deleted:
        """Forget a file, its bytes and the copies that jobs made of them, and take it out of all
        vector stores. Refused while a job or a batch that has not ended needs it."""
        with self._shelf.catalog.transaction():
            self.retrieve(id)
            for user in self._needing(id):
                what = "batch" if isinstance(user, Batch) else "job"
                raise BadRequest(
                    f"File {id} is in use by {user.id} ({user.status}). Cancel the {what} or wait "
                    "for its end.",
                    param="id",
                    code="file_in_use",
                )
            attached = self._attachments.everywhere(id)
            for place in attached:
                self._attachments.detach(place)
            self._shelf.delete(File, id)
            self._removals.order_file(id)
        for place in attached:
            self._removals.carry_out("remove-vectors", place.kept_as)
        self._removals.carry_out("remove-file", id)
        return Deleted(id=id, object="file")

    def sweep(self) -> None:
        """Delete the files whose time is over, but for those that are still needed."""
        for file in self._shelf.all(File):
            if file.expires_at is not None and file.expires_at <= now():
                with contextlib.suppress(BadRequest, NotFound):
                    self.delete(file.id)

    def _needing(self, id: str) -> Iterable[Job | Batch]:
        batches = self._shelf.all(Batch, where={"input_file_id": id})
        yield from (batch for batch in batches if batch.status not in ENDED_BATCH)
        for column in ("training_file", "validation_file"):
            jobs = self._shelf.all(Job, where={column: id})
            yield from (job for job in jobs if job.status not in ENDED)


class Draft:
    """An upload under way: `write` pieces, `finish`, and `close` in any case."""

    def __init__(self, shelf: Shelf, blobs: Blobs, limit: int, quota: Quota | None = None) -> None:
        """quota: None for bytes that are counted already."""
        self.id = new_id("file-")
        self._quota = quota
        self._arrival = quota.arrival() if quota else None
        self._shelf = shelf
        self._blobs = blobs
        self._limit = limit
        self._upload = blobs.upload(self.id)

    def write(self, data: bytes) -> None:
        if self._arrival:
            self._arrival.more(len(data))
        if self._upload.bytes + len(data) > self._limit:
            raise PayloadTooLarge(
                f"The file is larger than {self._limit} bytes. Split it into several files.",
                param="file",
            )
        self._upload.write(data)

    @property
    def sha256(self) -> str:
        return self._upload.sha256

    def finish(
        self, filename: str, purpose: str, expires_after: dict[str, Any] | None = None
    ) -> File:
        """Make the file visible. The bytes are synced first, the record after them."""
        file = self.seal(filename, purpose, expires_after)
        self.publish(file)
        return file

    def seal(
        self, filename: str, purpose: str, expires_after: dict[str, Any] | None = None
    ) -> File:
        """Sync the bytes and give the record, which nobody sees before `publish`."""
        options: FileOptions = FileOptions.parse({"expires_after": expires_after})
        created, life = now(), options.expires_after or _life(purpose)
        file = File(
            id=self.id,
            bytes=self._upload.bytes,
            created_at=created,
            expires_at=created + life.seconds if life else None,
            filename=names.file(filename),
            purpose=upload_purpose(purpose),
        )
        if self._upload.bytes == 0:
            raise BadRequest("File is empty.", param="file", code="empty_file")
        check_size(file.purpose, file.bytes)
        self._upload.commit()
        fault("file.stored")
        return file

    def publish(self, file: File) -> None:
        with self._shelf.catalog.transaction():
            if self._quota:
                self._quota.check_disk(file.bytes)
            self._shelf.put(file)

    def close(self) -> None:
        """Let go of the bytes, when the transaction that published them has ended: they are in use
        until then. Those without a record are removed, sealed or not."""
        self._upload.discard()
        if self._arrival:
            self._arrival.close()
        if is_orphan(self._shelf.catalog, File, self.id):
            self._blobs.delete(self.id)


def check_size(purpose: Purpose, size: int) -> None:
    """Raises PayloadTooLarge for the input of a batch that is larger than one may be."""
    if purpose == "batch" and size > BATCH_BYTES:
        raise PayloadTooLarge(
            f"The input of a batch may have {BATCH_BYTES:,} bytes, and this file has {size:,}. "
            "Make several batches of it.",
            param="file",
        )


def _life(purpose: str) -> ExpiresAfter | None:
    """Of a file whose upload does not say how long it is kept."""
    if purpose != "batch":
        return None
    return ExpiresAfter(anchor="created_at", seconds=BATCH_SECONDS)


def put_result(shelf: Shelf, blobs: Blobs, id: str, filename: str, data: bytes) -> File:
    """Store a file that Tunewright itself made. Repeating it with the same id changes nothing."""
    with blobs.upload(id) as upload:
        upload.write(data)
        upload.commit()
        file = File(id=id, bytes=len(data), filename=filename, purpose="fine-tune-results")
        shelf.put(file)
    return file


def upload_purpose(purpose: str) -> Purpose:
    """The purpose of something to be uploaded. Raises BadRequest for those not offered."""
    if purpose not in UPLOAD_PURPOSES:
        raise BadRequest(
            f"'{purpose}' is not one of {list(UPLOAD_PURPOSES)} - 'purpose'",
            param="purpose",
            code="invalid_value",
        )
    return purpose


def _no_such_file(id: str) -> NotFound:
    return NotFound(f"No such File object: {id}", param="id")
