"""The files of vector stores."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from tunewright.catalog.catalog import Shelf
from tunewright.errors import NotFound
from tunewright.records.pages import Page
from tunewright.records.vector_store_files import (
    AttachedPageRequest,
    AttachRequest,
    AttributesChange,
    DetachedFile,
    VectorStoreFile,
    attached,
)
from tunewright.records.vector_store_search import FileContent
from tunewright.resources.attachments import Attachments
from tunewright.resources.files import Files
from tunewright.resources.live_stores import live_store, store_of
from tunewright.resources.progress import changes
from tunewright.resources.removals import Removals
from tunewright.resources.store_search import StoreSearch
from tunewright.usage import Quota


class VectorStoreFiles:
    """Named as the official SDK names them. Every call raises NotFound for a store or a file that
    the organisation does not have, BadRequest for an expired store that is to be changed."""

    def __init__(
        self,
        shelf: Shelf,
        attachments: Attachments,
        removals: Removals,
        quota: Quota,
        uploads: Files,
        searching: StoreSearch,
    ) -> None:
        self._shelf = shelf
        self._attachments = attachments
        self._removals = removals
        self._quota = quota
        self._searching = searching
        self._uploads = uploads

    def create(self, vector_store_id: str, **given: Any) -> VectorStoreFile:
        """Have a file read into a store. `given`: the fields of `AttachRequest`. One that is in it
        already is read again, as it is asked for now."""
        return self.attach(vector_store_id, given)

    def attach(self, store_id: str, given: dict[str, Any]) -> VectorStoreFile:
        self._quota.admit()
        request: AttachRequest = AttachRequest.parse(given)
        with self._shelf.catalog.transaction():
            store = live_store(self._shelf, store_id)
            self._attachments.attach(store, [request])
            return self.retrieve(request.file_id, vector_store_id=store_id)

    def list(self, vector_store_id: str, **given: Any) -> Page[VectorStoreFile]:
        """`given`: the fields of `AttachedPageRequest`."""
        return self.page(vector_store_id, given)

    def page(self, store_id: str, given: dict[str, Any]) -> Page[VectorStoreFile]:
        query: AttachedPageRequest = AttachedPageRequest.parse(given)
        store_of(self._shelf, store_id)
        return page_of(self._shelf, store_id, query)

    def retrieve(self, file_id: str, *, vector_store_id: str) -> VectorStoreFile:
        store_of(self._shelf, vector_store_id)
        if found := self._attachments.find(vector_store_id, file_id):
            return found
        raise NotFound(
            f"No file found with id '{file_id}' in vector store '{vector_store_id}'.",
            param="file_id",
        )

    def content(self, file_id: str, *, vector_store_id: str) -> FileContent:
        """The text that was read of a file, a piece a page where it has pages; none while it is
        being read."""
        file = self.retrieve(file_id, vector_store_id=vector_store_id)
        if file.status != "completed":
            return FileContent(data=[])
        return self._searching.content(vector_store_id, file_id)

    def update(self, file_id: str, *, vector_store_id: str, **given: Any) -> VectorStoreFile:
        """Replace the attributes of a file. `given`: the fields of `AttributesChange`."""
        changed = self.describe(vector_store_id, file_id, given)
        self.settle(changed)
        return changed

    def describe(self, store_id: str, file_id: str, given: dict[str, Any]) -> VectorStoreFile:
        self._quota.admit()
        request: AttributesChange = AttributesChange.parse(given)
        with self._shelf.catalog.transaction():
            live_store(self._shelf, store_id)
            self.retrieve(file_id, vector_store_id=store_id)
            key, update = attached(store_id, file_id), {"attributes": request.attributes or {}}
            self._shelf.change(VectorStoreFile, key, lambda it: it.model_copy(update=update))
            self._shelf.forget_replies(key)
            self._removals.order_attributes(key)
            return self.retrieve(file_id, vector_store_id=store_id)

    def settle(self, changed: VectorStoreFile) -> None:
        """Searches go by its new attributes from now on, and nothing has the old ones. Not part of
        a transaction; the worker does it where this is never called."""
        self._removals.carry_out("attributes", changed.kept_as)

    def delete(self, file_id: str, *, vector_store_id: str) -> DetachedFile:
        """Take a file out of a store, with its text and vectors there; the file itself stays."""
        with self._shelf.catalog.transaction():
            file = self.retrieve(file_id, vector_store_id=vector_store_id)
            self._attachments.detach(file)
        self._removals.carry_out("remove-vectors", file.kept_as)
        return DetachedFile(id=file_id)

    def poll(self, file_id: str, *, vector_store_id: str, seconds: float = 0.2) -> VectorStoreFile:
        """The file, once it is read. Needs a worker, of this process or of a server."""
        return polled(lambda: self.retrieve(file_id, vector_store_id=vector_store_id), seconds)

    def create_and_poll(self, vector_store_id: str, **given: Any) -> VectorStoreFile:
        made = self.attach(vector_store_id, given)
        return self.poll(made.id, vector_store_id=vector_store_id)

    def upload(
        self, vector_store_id: str, *, file: Path | str | BinaryIO | bytes, **given: Any
    ) -> VectorStoreFile:
        """Store a file (as `Files.create`, with the purpose assistants) and attach it."""
        stored = self._uploads.create(file=file, purpose="assistants")
        return self.attach(vector_store_id, {**given, "file_id": stored.id})

    def upload_and_poll(
        self, vector_store_id: str, *, file: Path | str | BinaryIO | bytes, **given: Any
    ) -> VectorStoreFile:
        made = self.upload(vector_store_id, file=file, **given)
        return self.poll(made.id, vector_store_id=vector_store_id)


def page_of(
    shelf: Shelf, store: str, query: AttachedPageRequest, batch: str | None = None
) -> Page[VectorStoreFile]:
    """The files of a store, or those of one of its batches."""
    where = {"status": query.filter, "file_batch_id": batch}
    after, before = (attached(store, id) if id else None for id in (query.after, query.before))
    return shelf.page(
        VectorStoreFile,
        after=after,
        before=before,
        limit=query.limit,
        newest_first=query.order == "desc",
        subject=store,
        where={name: value for name, value in where.items() if value},
    )


def polled(retrieve: Callable[[], Any], seconds: float) -> Any:
    """What `retrieve` gives, once its status is another than in_progress."""
    *_, last = changes(retrieve, ("in_progress",), seconds=seconds)
    return last
