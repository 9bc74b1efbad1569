"""Files in parts: each is a blob of its own until the upload is completed, ended or expired."""

import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from tunewright import names
from tunewright.blobs.blobs import Blobs
from tunewright.catalog.catalog import Shelf
from tunewright.errors import BadRequest, NotFound, PayloadTooLarge
from tunewright.records.files import File
from tunewright.records.record import new_id, now
from tunewright.records.uploads import (
    MOST_PARTS,
    PART_LIMIT,
    CompleteRequest,
    Upload,
    UploadPart,
    UploadRequest,
)
from tunewright.resources.files import CHUNK, Draft, check_size, upload_purpose
from tunewright.resources.removals import is_orphan
from tunewright.usage import Quota


class Uploads:
    def __init__(self, shelf: Shelf, blobs: Blobs, limit: int, quota: Quota) -> None:
        self._shelf = shelf
        self._blobs = blobs
        self._limit = limit
        self._quota = quota

    def create(self, /, **given: Any) -> Upload:
        """Announce a file (the fields of `UploadRequest`). Raises BadRequest above the limit,
        QuotaExceeded where the organisation's files are too large together."""
        self._quota.admit()
        request: UploadRequest = UploadRequest.parse(given)
        if request.bytes > self._limit:
            raise BadRequest(
                f"Invalid 'bytes': integer above maximum value. Expected a value <= {self._limit}, "
                f"but got {request.bytes} instead.",
                param="bytes",
                code="integer_above_max_value",
            )
        purpose = upload_purpose(request.purpose)
        check_size(purpose, request.bytes)
        upload = Upload(
            bytes=request.bytes,
            filename=names.file(request.filename),
            purpose=purpose,
            expires_after=request.expires_after,
        )
        with self._shelf.catalog.transaction():
            self._shelf.put(upload)
            self._quota.check_disk(0)  # the new one is among those that are counted
        return upload

    def pending(self, id: str) -> Upload:
        """Raises NotFound, or BadRequest for an upload that is completed, cancelled or expired."""
        upload = self._shelf.get(Upload, id)
        if upload is None:
            raise NotFound(f"No such Upload object: {id}", param="id")
        if upload.status == "pending" and not _expired(upload):
            return upload
        status = "expired" if upload.status == "pending" else upload.status
        raise BadRequest(
            f"Upload {id} is {status}. Create another one.",
            param="id",
            code="invalid_upload_status",
        )

    def part(self, id: str) -> "PartDraft":
        """A part that arrives in pieces; it belongs to the upload after `PartDraft.publish`.

        Raises BadRequest where the upload has more parts than can be completed, or twice the bytes
        that it announced: a part may be sent again, but not for ever.
        """
        upload = self.pending(id)
        parts = self._shelf.all(UploadPart, where={"upload_id": id})
        came = sum(self._blobs.size(part.id) for part in parts)
        if len(parts) >= MOST_PARTS or came > 2 * upload.bytes:
            raise BadRequest(
                f"Upload {id} has {len(parts)} parts of {came} bytes together, and 'bytes' "
                f"announced {upload.bytes}. Complete or cancel it.",
                param="data",
                code="too_many_parts",
            )
        return PartDraft(self, self._shelf, self._blobs, upload, self._quota)

    def add_part(self, id: str, data: bytes | BinaryIO) -> UploadPart:
        """Store a part whole, 64 MiB at most."""
        self._quota.admit()
        draft = self.part(id)
        try:
            pieces = [data] if isinstance(data, bytes) else iter(lambda: data.read(CHUNK), b"")
            for piece in pieces:
                draft.write(piece)
            part = draft.seal()
            draft.publish(part)
            return part
        finally:
            draft.close()

    def complete(self, id: str, /, **given: Any) -> Upload:
        """Make the parts one file, in the order of `part_ids` (the fields of `CompleteRequest`).

        Raises BadRequest where a part is unknown, or bytes or md5 are not those announced: the
        upload stays pending then.
        """
        self._quota.admit()
        assembly = self.assembly(id, given)
        try:
            assembly.seal()
            return assembly.publish()
        finally:
            assembly.close()

    def assembly(self, id: str, given: dict[str, Any]) -> "Assembly":
        """What `complete` does, step by step."""
        return Assembly(self, self._shelf, self._blobs, id, given)

    def cancel(self, id: str) -> Upload:
        """End an upload and forget its parts."""
        upload = self.move(id, status="cancelled")
        self.sweep()
        return upload

    def move(self, id: str, **update: Any) -> Upload:
        """Change an upload that is pending. Raises as `pending` does."""
        with self._shelf.catalog.transaction():
            self.pending(id)
            changed = self._shelf.change(Upload, id, lambda u: u.model_copy(update=update))
        assert changed is not None
        return changed

    def sweep(self) -> None:
        """Let uploads expire whose time is over, and remove the parts of all that have ended."""
        for upload in self._shelf.all(Upload, where={"status": "pending"}):
            if _expired(upload):
                self._shelf.change(Upload, upload.id, _as_expired)
        for part in self._shelf.all(UploadPart):
            upload = self._shelf.get(Upload, part.upload_id)
            if upload is None or upload.status != "pending":
                self._blobs.delete(part.id)
                self._shelf.delete(UploadPart, part.id)


class PartDraft:
    """A part under way: `write` pieces, `seal`, `publish`, and `close` in any case."""

    def __init__(
        self, uploads: Uploads, shelf: Shelf, blobs: Blobs, upload: Upload, quota: Quota
    ) -> None:
        self._uploads = uploads
        self._shelf = shelf
        self._blobs = blobs
        self._quota = quota
        self._arrival = quota.arrival(upload.bytes)
        self._part = UploadPart(id=new_id("part_"), upload_id=upload.id)
        self._bytes = blobs.upload(self._part.id)

    @property
    def sha256(self) -> str:
        return self._bytes.sha256

    def write(self, data: bytes) -> None:
        self._arrival.more(len(data))
        if self._bytes.bytes + len(data) > PART_LIMIT:
            raise PayloadTooLarge(
                f"The part is larger than {PART_LIMIT} bytes. Send smaller parts.", param="data"
            )
        self._bytes.write(data)

    def seal(self, filename: str = "") -> UploadPart:
        """Sync the bytes. The name that a form gives them says nothing."""
        if self._bytes.bytes == 0:
            raise BadRequest("The part is empty.", param="data", code="empty_file")
        self._bytes.commit()
        return self._part

    def publish(self, part: UploadPart) -> None:
        """Raises as `Uploads.pending` does: the upload may have ended since."""
        with self._shelf.catalog.transaction():
            upload = self._uploads.pending(part.upload_id)
            self._quota.check_part(upload, self._bytes.bytes)
            self._shelf.put(part)

    def close(self) -> None:
        """As `Draft.close`."""
        self._bytes.discard()
        self._arrival.close()
        if is_orphan(self._shelf.catalog, UploadPart, self._part.id):
            self._blobs.delete(self._part.id)


class Assembly:
    """Parts becoming a file: `seal` writes it, `publish` shows it, `close` removes what is left
    over either way."""

    def __init__(
        self, uploads: Uploads, shelf: Shelf, blobs: Blobs, id: str, given: dict[str, Any]
    ) -> None:
        self._uploads = uploads
        self._shelf = shelf
        self._blobs = blobs
        self._id = id
        self._given = given
        self._draft: Draft | None = None
        self._file: File | None = None
        self._published = False

    def seal(self) -> None:
        request: CompleteRequest = CompleteRequest.parse(self._given)
        upload = self._uploads.pending(self._id)
        self._refuse_strangers(request.part_ids)
        # Without a quota: what the upload announced and what its parts have is counted already.
        self._draft = Draft(self._shelf, self._blobs, upload.bytes)
        md5 = hashlib.md5(usedforsecurity=False)
        size = 0
        for part in request.part_ids:
            for piece in self._pieces(part):
                size += len(piece)
                md5.update(piece)
                if size <= upload.bytes:
                    self._draft.write(piece)
        _refuse_difference(upload, size, md5.hexdigest(), request.md5)
        expires = upload.expires_after.model_dump() if upload.expires_after else None
        self._file = self._draft.seal(upload.filename, upload.purpose, expires)

    def publish(self) -> Upload:
        assert self._draft is not None
        assert self._file is not None
        with self._shelf.catalog.transaction():
            completed = self._uploads.move(self._id, status="completed", file=self._file)
            self._draft.publish(self._file)
        self._published = True
        return completed

    def close(self) -> None:
        if self._draft is not None:
            self._draft.close()
        if self._published:
            self._uploads.sweep()

    def _pieces(self, part: str) -> Iterator[bytes]:
        try:
            return self._blobs.read(part)
        except KeyError:  # completed or cancelled by another request at this very moment
            raise _no_part(part, f"is no longer a part of {self._id}", "part_ids") from None

    def _refuse_strangers(self, part_ids: list[str]) -> None:
        known = {part.id for part in self._shelf.all(UploadPart, where={"upload_id": self._id})}
        seen: set[str] = set()
        for at, id in enumerate(part_ids):
            if id in seen or id not in known:
                wrong = "is given twice" if id in seen else f"is not a part of {self._id}"
                raise _no_part(id, wrong, f"part_ids[{at}]")
            seen.add(id)


def _no_part(id: str, wrong: str, param: str) -> BadRequest:
    return BadRequest(f"Invalid '{param}': {id} {wrong}.", param=param, code="invalid_value")


def _refuse_difference(upload: Upload, size: int, md5: str, wanted: str | None) -> None:
    if size != upload.bytes:
        raise BadRequest(
            f"The parts have {size} bytes together, and 'bytes' announced {upload.bytes}.",
            param="part_ids",
            code="bytes_mismatch",
        )
    if wanted is not None and wanted.lower() != md5:
        raise BadRequest(
            f"The md5 of the parts is {md5}, and not {wanted[:64]}.",
            param="md5",
            code="md5_mismatch",
        )


def _expired(upload: Upload) -> bool:
    return now() >= upload.expires_at


def _as_expired(upload: Upload) -> Upload:
    ended = upload.status != "pending"
    return upload if ended else upload.model_copy(update={"status": "expired"})
