"""What is deleted leaves the disk: bytes, every copy of them, and the catalog's own traces.

A deletion orders the removal in the transaction that forgets the record, so a crash in between
leaves nothing behind: the worker does what is still ordered when it starts again. What nobody
ordered and nobody needs goes as well: bytes that a killed process left without a record (`sweep`),
and what a job that ended in vain would have gone on from (`tidy`).
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from tunewright import durable, names
from tunewright.artefacts import Artefacts, export_place, start_place
from tunewright.blobs.blobs import Blobs
from tunewright.catalog.catalog import SHARED, Catalog, Shelf
from tunewright.errors import TunewrightError
from tunewright.home import Home
from tunewright.records.batches import OPEN as OPEN_BATCH
from tunewright.records.batches import Batch
from tunewright.records.exports import Export, ExportEvent
from tunewright.records.files import File
from tunewright.records.jobs import Job
from tunewright.records.models import Start, Weights
from tunewright.records.record import Record, new_id
from tunewright.records.reembeddings import OPEN as OPEN_REEMBEDDING
from tunewright.records.reembeddings import Reembedding
from tunewright.records.removals import Removal
from tunewright.records.uploads import Upload, UploadPart
from tunewright.records.vector_store_files import VectorStoreFile
from tunewright.records.vector_stores import VectorStore
from tunewright.resources.claims import claim
from tunewright.resources.store_contents import StoreContents
from tunewright.tasks import Tasks

COPIES = ("parity.json", "log.txt")
"""Files of a job's folder that hold rows of its data: as token ids, or quoted in a traceback."""

HOLDERS: tuple[tuple[type[Record], tuple[str, ...]], ...] = (
    (Weights, ("directory", "base_directory")),
    (Start, ("directory", "base_directory")),
    (Removal, ("directory", "base_directory")),
)
"""The records that name published directories, each with the columns that do: a directory stays
while one of them names it. A new kind of record that has one gets its row here."""


class Removals:
    def __init__(
        self,
        shelf: Shelf,
        tasks: Tasks,
        home: Home,
        artefacts: Artefacts,
        blobs: Blobs,
        contents: StoreContents,
    ) -> None:
        self._shelf = shelf
        self._tasks = tasks
        self._home = home
        self._artefacts = artefacts
        self._blobs = blobs
        self._contents = contents
        self._removers = {
            "remove-file": self._file,
            "remove-job": self._job,
            "remove-weights": self._weights,
            "remove-export": self._export,
            "remove-vectors": self._vectors,
            "remove-store": self._store,
            "remove-collections": self._collections,
            "attributes": self._attributes,
        }

    def order_file(self, id: str) -> None:
        """Have the bytes of a file removed. Part of the transaction that deletes its record."""
        self._tasks.enqueue("remove-file", id, self._shelf.organisation)

    def order_job(self, id: str) -> None:
        """The same for the folder of a job."""
        self._tasks.enqueue("remove-job", id, self._shelf.organisation)

    def order_weights(self, weights: Weights) -> None:
        """The same for weights whose own record is deleted."""
        self._order(
            Removal(
                id=new_id("gone-"),
                name=weights.id,
                directory=weights.directory,
                base_directory=weights.base_directory,
                job=weights.job if weights.step is None else None,
            )
        )

    def order_start(self, start: Start) -> None:
        """The same for the base that an ended job started from, where it was deleted meanwhile and
        nothing else stands on it. (What lies in the job's own folder is tidied there.)"""
        place = start.base_directory
        own = place == start_place(start.id, "base")
        if not own and not _needed(self._shelf.catalog, place, but=start.id):
            self._order(Removal(id=new_id("gone-"), name=start.base, base_directory=place))

    def _order(self, removal: Removal) -> None:
        self._shelf.put(removal)
        self._tasks.enqueue("remove-weights", removal.id, self._shelf.organisation)

    def order_export(self, id: str) -> None:
        """The same for an export, with its record and events; who writes it loses its lease."""
        self._tasks.cancel(id)
        self._shelf.clear(ExportEvent, id)
        self._shelf.delete(Export, id)
        self._tasks.enqueue("remove-export", id, self._shelf.organisation)

    def order_exports(self, model: str) -> None:
        """The same for all exports of a model that is deleted: they are copies of its weights."""
        for export in self._shelf.all(Export, subject=model):
            self.order_export(export.id)

    def order_vectors(self, kept_as: str) -> None:
        """The same for the chunks and vectors of a file in a vector store (`STORE/FILE`)."""
        self._tasks.enqueue("remove-vectors", kept_as, self._shelf.organisation)

    def order_what_was_read(self, store: str, attached: Collection[str]) -> None:
        """The same for those of these files of which something has been kept."""
        begun = {f"{store}/{file}" for file in self._contents.chunks(store).files()}
        kept = [key for key in attached if key in begun]
        self._tasks.enqueue_all("remove-vectors", kept, self._shelf.organisation)

    def order_attributes(self, kept_as: str) -> None:
        """Have the attributes that its record has now given to all its chunks, in place of those
        that they have."""
        self._tasks.enqueue("attributes", kept_as, self._shelf.organisation)

    def order_store(self, id: str) -> None:
        """The same for all that a vector store holds."""
        self._tasks.enqueue("remove-store", id, self._shelf.organisation)

    def order_collections(self, store: str) -> None:
        """The same for the vectors of a store that it does not use, of a model before or of one
        that it was not to have in the end."""
        self._tasks.enqueue("remove-collections", store, self._shelf.organisation)

    def carry_out(self, kind: str, id: str) -> bool:
        """Remove what a task of that kind ordered; False while somebody still writes there. Can be
        repeated."""
        if not self._removers[kind](id):
            return False
        wiped = self._shelf.catalog.scrub()
        with self._shelf.catalog.transaction():
            self._tasks.forget(kind, id)
            if not wiped:  # somebody reads: the worker tries until nobody does
                self._tasks.enqueue_once("scrub", "catalog", SHARED)
        return True

    def carry_out_all(self) -> None:
        """Where no server runs, and so nobody is being answered."""
        for kind in self._removers:
            for id in self._tasks.subjects(kind, self._shelf.organisation):
                self.carry_out(kind, id)

    def _job(self, id: str) -> bool:
        return _remove_job(self._shelf.catalog, self._home, id)

    def _file(self, id: str) -> bool:
        self._blobs.delete(id)
        for upload in self._shelf.all(Upload, where={"status": "completed"}):
            if upload.file and upload.file.id == id:  # it holds a copy of the file's record
                self._shelf.delete(Upload, upload.id)
        for job in self._trained_on(id):
            for name in COPIES:
                durable.remove(self._home.job(job.id) / name)
        return True

    def _export(self, id: str) -> bool:
        self._artefacts.remove(export_place(id))
        return True

    def _vectors(self, kept_as: str) -> bool:
        store, _, file = kept_as.partition("/")
        with self._contents.if_free(store) as free:
            if not free:
                return False
            found = self._shelf.get(VectorStoreFile, kept_as)
            if found is None or found.status in ("failed", "cancelled"):
                self._contents.remove(store, file)
            # Else it was attached again: who reads it anew removes what was there.
        return self._contents.chunks(store).wipe()

    def _store(self, id: str) -> bool:
        with self._contents.if_free(id) as free:
            if free:
                self._contents.drop(id)
        return free

    def _collections(self, store: str) -> bool:
        found = self._shelf.get(VectorStore, store)
        running = self._shelf.all(Reembedding, subject=store)
        if found is None or any(each.status in OPEN_REEMBEDDING for each in running):
            return True  # they go with the store, or are being filled
        with self._contents.if_free(store) as free:
            if free:
                self._contents.drop_others(store, found.embedding.collection_of(store))
        return free

    def _attributes(self, kept_as: str) -> bool:
        """As the record says by now. One that is still being read gets them from its reader."""
        store, _, file = kept_as.partition("/")
        with self._contents.if_free(store) as free:
            found = self._shelf.get(VectorStoreFile, kept_as)
            if free and found and found.status == "completed":
                self._contents.describe(store, file, found.attributes)
        return free

    def _trained_on(self, id: str) -> Iterator[Job]:
        for column in ("training_file", "validation_file"):
            yield from self._shelf.all(Job, where={column: id})

    def _weights(self, id: str) -> bool:
        ordered = self._shelf.get(Removal, id)
        if ordered is None:
            return True
        remove_directories(self._shelf.catalog, self._artefacts, ordered)
        if ordered.job:  # what it keeps besides its log
            self._artefacts.remove(start_place(ordered.job))
            folder = self._home.job(ordered.job)
            durable.remove(folder / "resume")
            if self._shelf.get(Job, ordered.job) is None:
                durable.remove(folder)
        self._shelf.delete(Removal, id)
        return True


def _remove_job(catalog: Catalog, home: Home, id: str) -> bool:
    """Remove the folder of a job that is not recorded, but for what its model still stands on.
    False while somebody has claimed it: a trainer that is about to end, say."""
    folder = home.job(id)
    lock = claim(folder)
    if lock is None:
        return not folder.exists()
    with lock:
        # Who makes a job lets go of its folder when the job is recorded: looked for only now.
        if not catalog.ids(Job, id=id):
            kept = _needed(catalog, start_place(id, "base"), but=id)
            for entry in list(folder.iterdir()) if kept else [folder]:
                if entry.name != "start":
                    durable.remove(entry)
    return True


def _tidy_job(catalog: Catalog, home: Home, artefacts: Artefacts, id: str) -> None:
    """Remove from the folder of a job that has failed or was cancelled what only a running one
    needs. Its checkpoints stay, and the base that they are for; so does all while a trainer that
    is about to end has it."""
    folder, base = home.job(id), start_place(id, "base")
    starts = [start_place(id, "adapter"), *([] if _needed(catalog, base, but=id) else [base])]
    doomed = [folder / "resume", folder / "parity.json", *map(artefacts.path, starts)]
    doomed = [path for path in doomed if path.exists()]
    if doomed and (lock := claim(folder)):
        with lock:
            for path in doomed:
                durable.remove(path)


def remove_directories(catalog: Catalog, artefacts: Artefacts, of: Weights | Removal) -> None:
    """Remove the directories that no other model and no job needs: its own, and its base's where
    the base has been deleted before."""
    for directory in filter(None, (of.directory, of.base_directory)):
        if not _needed(catalog, directory, but=of.id):
            artefacts.remove(directory)


def _needed(catalog: Catalog, directory: str, *, but: str) -> bool:
    """Whether a record other than `but`, a job's start or a model's, names the directory."""
    return any(
        catalog.mentions(kind, column, directory, but=but)
        for kind, columns in HOLDERS
        for column in columns
    )


def sweep(catalog: Catalog, home: Home, blobs: Blobs) -> None:
    """Remove the bytes of uploads and the folders of jobs that were never recorded, and those of
    vector stores that are gone and of batches that have ended.

    Safe beside processes that are making some, and none of them waits for it: until their record
    is put, an upload is in use and the folder of a new job is claimed.
    """
    blobs.sweep(lambda: catalog.ids(File) | catalog.ids(UploadPart))
    for id in _folders(home.jobs) - catalog.ids(Job):
        _remove_job(catalog, home, id)
    for id in _folders(home.exports) - catalog.ids(Export):
        durable.remove(home.exports / id)
    for id in _folders(home.vectors) - catalog.ids(VectorStore):
        durable.remove(home.vectors / id)
    for id in _folders(home.vectors) - catalog.ids(VectorStore):
        durable.remove(home.vectors / id)
    open_ = [catalog.ids(Batch, status=status) for status in OPEN_BATCH]
    for id in _folders(home.batches).difference(*open_):
        durable.remove(home.batches / id)


def is_orphan(catalog: Catalog, kind: type[Record], id: str) -> bool:
    """Whether the bytes of `id` have no record, and who made them may remove them. False where the
    catalog cannot say it now: then the next sweep does."""
    try:
        return not catalog.ids(kind, id=id)
    except TunewrightError:
        return False


def tidy(catalog: Catalog, home: Home, artefacts: Artefacts) -> None:
    """Remove what jobs that failed or were cancelled would need only to go on."""
    ended = catalog.ids(Job, status="failed") | catalog.ids(Job, status="cancelled")
    for id in _folders(home.jobs) & ended:
        _tidy_job(catalog, home, artefacts, id)


def _folders(parent: Path) -> set[str]:
    if not parent.is_dir():
        return set()
    return {folder.name for folder in parent.iterdir() if names.is_made(folder.name)}
