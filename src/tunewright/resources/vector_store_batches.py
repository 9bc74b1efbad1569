"""Files that are attached to a vector store by one call."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from tunewright.catalog.catalog import Shelf
from tunewright.errors import BadRequest, NotFound
from tunewright.records.pages import Page
from tunewright.records.vector_store_files import (
    AttachedPageRequest,
    BatchOfFilesRequest,
    VectorStoreFile,
    VectorStoreFileBatch,
)
from tunewright.resources.attachments import Attachments
from tunewright.resources.files import Files
from tunewright.resources.live_stores import live_store, store_of
from tunewright.resources.progress import changes
from tunewright.resources.vector_store_files import page_of
from tunewright.usage import Quota


class VectorStoreBatches:
    """As `VectorStoreFiles`. A batch is found in its own store only."""

    def __init__(
        self, shelf: Shelf, attachments: Attachments, quota: Quota, uploads: Files
    ) -> None:
        self._shelf = shelf
        self._attachments = attachments
        self._quota = quota
        self._uploads = uploads

    def create(self, vector_store_id: str, **given: Any) -> VectorStoreFileBatch:
        """Have files read into a store. `given`: the fields of `BatchOfFilesRequest`. All of them
        are attached, or none."""
        return self.attach(vector_store_id, given)

    def attach(self, store_id: str, given: dict[str, Any]) -> VectorStoreFileBatch:
        self._quota.admit()
        request: BatchOfFilesRequest = BatchOfFilesRequest.parse(given)
        with self._shelf.catalog.transaction():
            store = live_store(self._shelf, store_id)
            batch = VectorStoreFileBatch(vector_store_id=store.id)
            self._shelf.put(batch, subject=store.id)
            self._attachments.attach(store, request.wanted(), batch.id)
            return self.retrieve(batch.id, vector_store_id=store.id)

    def retrieve(self, batch_id: str, *, vector_store_id: str) -> VectorStoreFileBatch:
        store_of(self._shelf, vector_store_id)
        found = self._shelf.get(VectorStoreFileBatch, batch_id)
        if found and found.vector_store_id == vector_store_id:
            return found
        raise NotFound(
            f"No file batch found with id '{batch_id}' in vector store '{vector_store_id}'.",
            param="batch_id",
        )

    def list_files(
        self, batch_id: str, *, vector_store_id: str, **given: Any
    ) -> Page[VectorStoreFile]:
        """`given`: the fields of `AttachedPageRequest`."""
        return self.page(vector_store_id, batch_id, given)

    def page(self, store_id: str, batch_id: str, given: dict[str, Any]) -> Page[VectorStoreFile]:
        query: AttachedPageRequest = AttachedPageRequest.parse(given)
        self.retrieve(batch_id, vector_store_id=store_id)
        return page_of(self._shelf, store_id, query, batch_id)

    def cancel(self, batch_id: str, *, vector_store_id: str) -> VectorStoreFileBatch:
        """Files that nobody has begun to read are cancelled; one that is being read comes in.
        Raises BadRequest for a batch that has ended."""
        with self._shelf.catalog.transaction():
            batch = self.retrieve(batch_id, vector_store_id=vector_store_id)
            if batch.status == "cancelled":
                return batch
            if batch.status != "in_progress":
                raise BadRequest(
                    f"Cannot cancel a file batch with status '{batch.status}'.",
                    param="batch_id",
                    code="invalid_file_batch_status",
                )
            cancelled = {"status": "cancelled"}
            self._shelf.change(
                VectorStoreFileBatch, batch.id, lambda it: it.model_copy(update=cancelled)
            )
            self._attachments.cancel(batch)
            return self.retrieve(batch_id, vector_store_id=vector_store_id)

    def poll(
        self, batch_id: str, *, vector_store_id: str, seconds: float = 0.2
    ) -> VectorStoreFileBatch:
        """The batch, once all its files are read. Needs a worker, of this process or of a
        server."""
        *_, last = self.follow(batch_id, vector_store_id=vector_store_id, seconds=seconds)
        return last

    def follow(
        self, batch_id: str, *, vector_store_id: str, seconds: float = 0.2
    ) -> Iterator[VectorStoreFileBatch]:
        """The batch each time that it has got further, until all its files are read."""

        def retrieve() -> VectorStoreFileBatch:
            return self.retrieve(batch_id, vector_store_id=vector_store_id)

        return changes(retrieve, ("in_progress",), seconds=seconds)

    def create_and_poll(self, vector_store_id: str, **given: Any) -> VectorStoreFileBatch:
        made = self.attach(vector_store_id, given)
        return self.poll(made.id, vector_store_id=vector_store_id)

    def upload_and_poll(
        self,
        vector_store_id: str,
        *,
        files: Iterable[Path | str | BinaryIO | bytes],
        file_ids: Iterable[str] = (),
        **given: Any,
    ) -> VectorStoreFileBatch:
        """Store files (as `Files.create`, with the purpose assistants) and attach them, together
        with those of `file_ids`."""
        stored = [self._uploads.create(file=file, purpose="assistants") for file in files]
        ids = [*file_ids, *(file.id for file in stored)]
        return self.create_and_poll(vector_store_id, file_ids=ids, **given)
