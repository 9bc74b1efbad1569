"""Files in vector stores: how they come, move on and go, and the counts that follow from that.

A status changes here only, in one transaction with the counts of its store and of its batch: they
are always those of the files that are there.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

from tunewright.catalog import many
from tunewright.catalog.catalog import Shelf
from tunewright.errors import BadRequest, NotFound
from tunewright.records.files import File
from tunewright.records.vector_store_files import (
    AttachedStatus,
    AttachRequest,
    VectorStoreFile,
    VectorStoreFileBatch,
    attached,
)
from tunewright.records.vector_stores import FileCounts, VectorStore, resolved
from tunewright.resources.live_stores import used
from tunewright.resources.progress import move
from tunewright.resources.removals import Removals
from tunewright.tasks import Tasks
from tunewright.usage import Quota

PURPOSES = ("assistants", "user_data")
_NAMED = 20  # of the files that are unknown
_Change = tuple[VectorStoreFile | None, VectorStoreFile | None]  # before, after


class Attachments:
    def __init__(self, shelf: Shelf, tasks: Tasks, removals: Removals, quota: Quota) -> None:
        self._shelf = shelf
        self._tasks = tasks
        self._removals = removals
        self._quota = quota

    def attach(
        self, store: VectorStore, wanted: Sequence[AttachRequest], batch: str | None = None
    ) -> None:
        """Have files read into a store: each has a task. One that is in it already is read again,
        as it is asked for now. Part of a transaction. Raises NotFound for an unknown file,
        BadRequest for one of another purpose, QuotaExceeded."""
        latest = {each.file_id: each for each in wanted}  # named twice, the last one holds
        self._check_files(list(latest))
        if not latest:
            return
        self._quota.check_disk(0)
        files = [_begun(store, each, batch) for each in latest.values()]
        keys = [file.kept_as for file in files]
        before = many.found(self._shelf, VectorStoreFile, keys)
        self._tasks.cancel(*before)
        many.replace(self._shelf, files, subject=store.id)
        self._tasks.enqueue_all("ingest", keys, self._shelf.organisation)
        self._count(store.id, [(before.get(file.kept_as), file) for file in files], used)

    def find(self, store: str, file: str) -> VectorStoreFile | None:
        return self._shelf.get(VectorStoreFile, attached(store, file))

    def move(
        self, store: str, file: str, *leaving: AttachedStatus, **update: object
    ) -> VectorStoreFile:
        """Change a file that is in one of these statuses (where none is named, in_progress).
        Raises Moved otherwise, and where it was detached."""
        with self._shelf.catalog.transaction():
            before = self.find(store, file)
            after = move(
                self._shelf,
                VectorStoreFile,
                attached(store, file),
                leaving or ("in_progress",),
                lambda file: file.model_copy(update=update),
            )
            self._count(store, [(before, after)])
        return after

    def complete(self, store: str, used: Mapping[str, int]) -> None:
        """Files of a store, with the bytes that each uses, are whole from now on; but for those
        that were cancelled or detached. The counts are written once for all."""
        with self._shelf.catalog.transaction():
            keys = [attached(store, file) for file in used]
            there = many.found(self._shelf, VectorStoreFile, keys).items()
            open_ = [key for key, file in there if file.status == "in_progress"]

            def whole(file: VectorStoreFile) -> VectorStoreFile:
                update = {"status": "completed", "usage_bytes": used[file.id]}
                return file.model_copy(update=update)

            self._count(store, many.change(self._shelf, VectorStoreFile, open_, whole))

    def cancel(self, batch: VectorStoreFileBatch) -> None:
        """The files of a batch that nobody reads at this moment are not read; what was read of one
        before goes. Part of a transaction."""
        store = batch.vector_store_id
        keys = self._in_progress(store, {"file_batch_id": batch.id})
        withdrawn = self._tasks.withdraw(keys)
        self._cancelled(store, withdrawn)
        self._removals.order_what_was_read(store, withdrawn)

    def end(self, store: str) -> None:
        """Nothing more is read into a store, of which all will be removed. Part of a
        transaction."""
        keys = self._in_progress(store, {})
        self._tasks.cancel(*keys)
        self._cancelled(store, keys)

    def _in_progress(self, store: str, where: dict[str, str]) -> list[str]:
        files = self._shelf.all(VectorStoreFile, subject=store, where=where)
        return [file.kept_as for file in files if file.status == "in_progress"]

    def _cancelled(self, store: str, keys: Collection[str]) -> None:
        edit = partial(VectorStoreFile.model_copy, update={"status": "cancelled"})
        self._count(store, many.change(self._shelf, VectorStoreFile, sorted(keys), edit))

    def detach(self, file: VectorStoreFile) -> None:
        """Take a file out of its store; `Removals.carry_out` removes its chunks afterwards. Part of
        a transaction."""
        self._tasks.cancel(file.kept_as)
        self._shelf.delete(VectorStoreFile, file.kept_as)
        self._count(file.vector_store_id, [(file, None)])
        self._removals.order_vectors(file.kept_as)

    def forget(self, store: str) -> None:
        """The same for one that is deleted, with the records of its files and batches. Part of a
        transaction."""
        files = self._shelf.all(VectorStoreFile, subject=store)
        self._tasks.cancel(*(file.kept_as for file in files))
        self._shelf.clear(VectorStoreFile, store)
        self._shelf.clear(VectorStoreFileBatch, store)

    def everywhere(self, file: str) -> list[VectorStoreFile]:
        """The same file in all stores of the organisation."""
        return self._shelf.all(VectorStoreFile, where={"file_id": file})

    def _check_files(self, ids: Sequence[str]) -> None:
        files = many.found(self._shelf, File, ids)
        if unknown := [id for id in ids if id not in files]:
            more = f" and {len(unknown) - _NAMED} more" * (len(unknown) > _NAMED)
            raise NotFound(f"Files [{', '.join(unknown[:_NAMED])}]{more} were not found")
        for id, file in files.items():
            if file.purpose not in PURPOSES:
                raise BadRequest(
                    f"{id} has the purpose '{file.purpose}', and files of vector stores have "
                    f"{' or '.join(map(repr, PURPOSES))}. Upload it again with one of these.",
                    param="file_id",
                    code="invalid_file_purpose",
                )

    def _count(
        self,
        store: str,
        changes: Sequence[_Change],
        also: Callable[[VectorStore], VectorStore] = lambda it: it,
    ) -> None:
        self._shelf.change(VectorStore, store, lambda it: also(_store_with(it, changes)))
        batches = {file.file_batch_id for pair in changes for file in pair if file} - {None}
        for batch in batches:
            of = [_of_batch(change, batch) for change in changes]
            self._shelf.change(
                VectorStoreFileBatch, str(batch), lambda it, of=of: _batch_with(it, of)
            )


def _begun(store: VectorStore, wanted: AttachRequest, batch: str | None) -> VectorStoreFile:
    return VectorStoreFile(
        id=wanted.file_id,
        vector_store_id=store.id,
        chunking_strategy=resolved(wanted.chunking_strategy),
        attributes=wanted.attributes or {},
        file_batch_id=batch,
    )


def _of_batch(change: _Change, batch: str | None) -> _Change:
    before, after = (file if file and file.file_batch_id == batch else None for file in change)
    return before, after


def _store_with(store: VectorStore, changes: Iterable[_Change]) -> VectorStore:
    counts = _counted(store.file_counts, changes)
    more = sum(_bytes(after) - _bytes(before) for before, after in changes)
    status = "in_progress" if counts.in_progress else "completed"
    if store.status == "expired":
        status = "expired"
    return store.model_copy(
        update={"file_counts": counts, "usage_bytes": store.usage_bytes + more, "status": status}
    )


def _batch_with(batch: VectorStoreFileBatch, changes: Iterable[_Change]) -> VectorStoreFileBatch:
    """It is failed where no file came in, and cancelled stays cancelled."""
    counts = _counted(batch.file_counts, changes)
    ended = "failed" if counts.failed and not counts.completed else "completed"
    status = "in_progress" if counts.in_progress else ended
    if batch.status == "cancelled":
        status = "cancelled"
    return batch.model_copy(update={"file_counts": counts, "status": status})


def _counted(counts: FileCounts, changes: Iterable[_Change]) -> FileCounts:
    found = counts.model_dump()
    for change in changes:
        for file, more in zip(change, (-1, 1), strict=True):
            if file:
                found[file.status] += more
                found["total"] += more
    return FileCounts(**found)


def _bytes(file: VectorStoreFile | None) -> int:
    return file.usage_bytes if file else 0
