"""Files in vector stores: how they come, move on and go, and the counts that follow from that.

A status changes here only, in one transaction with the counts of its store and of its batch: they
are always those of the files that are there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

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
        if latest:
            self._quota.check_disk(0)
        changes = [self._put(store, each, batch) for each in latest.values()]
        self._count(store.id, changes, used)

    def _put(self, store: VectorStore, wanted: AttachRequest, batch: str | None) -> _Change:
        file = VectorStoreFile(
            id=wanted.file_id,
            vector_store_id=store.id,
            chunking_strategy=resolved(wanted.chunking_strategy),
            attributes=wanted.attributes or {},
            file_batch_id=batch,
        )
        before = self.find(store.id, file.id)
        if before:
            self._tasks.cancel(file.kept_as)
            self._shelf.delete(VectorStoreFile, file.kept_as)
        self._shelf.put(file, subject=store.id)
        self._tasks.enqueue("ingest", file.kept_as, self._shelf.organisation)
        return before, file

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
                **update,
            )
            self._count(store, [(before, after)])
        return after

    def complete(self, store: str, used: Mapping[str, int]) -> None:
        """Files of a store, with the bytes that each uses, are whole from now on; but for those
        that were cancelled or detached. The counts are written once for all."""
        changes: list[_Change] = []
        with self._shelf.catalog.transaction():
            for file, bytes in used.items():
                update = {"status": "completed", "usage_bytes": bytes}
                before = self.find(store, file)
                if before and before.status == "in_progress":
                    key = attached(store, file)
                    after = move(self._shelf, VectorStoreFile, key, ("in_progress",), **update)
                    changes.append((before, after))
            self._count(store, changes)

    def cancel(self, batch: VectorStoreFileBatch) -> None:
        """The files of a batch that nobody has begun to read are not read. Part of a
        transaction."""
        store = batch.vector_store_id
        files = self._shelf.all(VectorStoreFile, subject=store, where={"file_batch_id": batch.id})
        waiting = (file for file in files if file.status == "in_progress")
        withdrawn = [file for file in waiting if self._withdraw(file)]
        self._count(store, [(file, self._cancelled(file)) for file in withdrawn])

    def _withdraw(self, file: VectorStoreFile) -> bool:
        begun = self._tasks.begun(file.kept_as)
        withdrawn = self._tasks.withdraw(file.kept_as)
        if begun and withdrawn:  # a part of it may be there
            self._removals.order_vectors(file.kept_as)
        return withdrawn

    def _cancelled(self, file: VectorStoreFile) -> VectorStoreFile:
        return move(
            self._shelf, VectorStoreFile, file.kept_as, ("in_progress",), status="cancelled"
        )

    def detach(self, file: VectorStoreFile) -> None:
        """Take a file out of its store; `Removals.carry_out` removes its chunks afterwards. Part of
        a transaction."""
        self._tasks.cancel(file.kept_as)
        self._shelf.delete(VectorStoreFile, file.kept_as)
        self._count(file.vector_store_id, [(file, None)])
        self._removals.order_vectors(file.kept_as)

    def end(self, store: str) -> None:
        """Nothing more is read into a store. Part of a transaction."""
        files = self._shelf.all(VectorStoreFile, subject=store, where={"status": "in_progress"})
        for file in files:
            self._tasks.cancel(file.kept_as)
        self._count(store, [(file, self._cancelled(file)) for file in files])

    def forget(self, store: str) -> None:
        """The same for one that is deleted, with the records of its files and batches. Part of a
        transaction."""
        for file in self._shelf.all(VectorStoreFile, subject=store):
            self._tasks.cancel(file.kept_as)
        self._shelf.clear(VectorStoreFile, store)
        self._shelf.clear(VectorStoreFileBatch, store)

    def everywhere(self, file: str) -> list[VectorStoreFile]:
        """The same file in all stores of the organisation."""
        return self._shelf.all(VectorStoreFile, where={"file_id": file})

    def _check_files(self, ids: Sequence[str]) -> None:
        files = {id: self._shelf.get(File, id) for id in ids}
        if unknown := [id for id, file in files.items() if file is None]:
            raise NotFound(f"Files [{', '.join(unknown)}] were not found")
        for id, file in files.items():
            if file and file.purpose not in PURPOSES:
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
