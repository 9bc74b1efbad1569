"""Vector stores: made and kept here; their files are read by the worker (`work.ingest`)."""

from collections.abc import Callable, Iterator
from typing import Any

from tunewright.catalog.catalog import Shelf
from tunewright.errors import BadRequest, NotFound
from tunewright.records.pages import Page
from tunewright.records.record import now
from tunewright.records.store_verifications import StoreVerification
from tunewright.records.vector_store_files import AttachRequest
from tunewright.records.vector_store_search import SearchRequest, SearchResults
from tunewright.records.vector_stores import (
    DeletedStore,
    StoreChange,
    StoreEmbedding,
    StorePageRequest,
    StoreRequest,
    VectorStore,
)
from tunewright.resources.attachments import Attachments
from tunewright.resources.files import Files
from tunewright.resources.live_stores import live_store, seen, store_of, used
from tunewright.resources.progress import changes
from tunewright.resources.reembeddings import Reembeddings
from tunewright.resources.removals import Removals
from tunewright.resources.store_models import StoreModels
from tunewright.resources.store_rows import StoreRows
from tunewright.resources.store_search import StoreSearch
from tunewright.resources.vector_store_batches import VectorStoreBatches
from tunewright.resources.vector_store_files import VectorStoreFiles
from tunewright.usage import Quota

USED_SECONDS = 60
"""A search is written down as the last use of its store where the one before is older than this:
days are counted from it, and a search costs no write."""


class VectorStores:
    """Every call that takes an id raises NotFound for one that the organisation does not have."""

    def __init__(
        self,
        shelf: Shelf,
        attachments: Attachments,
        removals: Removals,
        quota: Quota,
        uploads: Files,
        models: StoreModels,
        searching: StoreSearch,
        reembeddings: Reembeddings,
        model: str,
    ) -> None:
        """model: what embeds the chunks of a store that does not say."""
        self.files = VectorStoreFiles(shelf, attachments, removals, quota, uploads, searching)
        self.reembeddings = reembeddings
        self.file_batches = VectorStoreBatches(shelf, attachments, quota, uploads)
        self._shelf = shelf
        self._attachments = attachments
        self._removals = removals
        self._quota = quota
        self._models = models
        self._searching = searching
        self._model = model

    def create(self, /, **given: Any) -> VectorStore:
        """`given`: the fields of `StoreRequest`. The files are read afterwards, for which nobody
        waits. Raises NotFound for an unknown file or model, BadRequest for a file of another
        purpose or a model that does not embed."""
        self._quota.admit()
        request: StoreRequest = StoreRequest.parse(given)
        model = request.embedding_model or self._model
        store = VectorStore(
            name=request.name or "",
            description=request.description,
            metadata=request.metadata,
            embedding_model=model,
            embedding=self.embedding(model),
        )
        store = used(store.model_copy(update={"expires_after": request.expires_after}))
        wanted = [
            AttachRequest(file_id=id, chunking_strategy=request.chunking_strategy)
            for id in request.file_ids
        ]
        with self._shelf.catalog.transaction():
            self._shelf.put(store)
            self._attachments.attach(store, wanted)
            return self.retrieve(store.id)

    def embedding(self, model: str) -> StoreEmbedding:
        """What the vectors of a store by this model are, as it stands today."""
        try:
            return self._models.today(model)
        except (NotFound, BadRequest) as error:
            error.param = "embedding_model"
            raise

    def list(self, /, **given: Any) -> Page[VectorStore]:
        """`given`: the fields of `StorePageRequest`."""
        query: StorePageRequest = StorePageRequest.parse(given)
        page = self._shelf.page(
            VectorStore,
            after=query.after,
            before=query.before,
            limit=query.limit,
            newest_first=query.order == "desc",
        )
        return page.model_copy(update={"data": [seen(store) for store in page.data]})

    def retrieve(self, vector_store_id: str) -> VectorStore:
        return store_of(self._shelf, vector_store_id)

    def update(self, vector_store_id: str, **given: Any) -> VectorStore:
        """`given`: the fields of `StoreChange`; None takes a value away."""
        return self.modify(vector_store_id, given)

    def modify(self, id: str, given: dict[str, Any]) -> VectorStore:
        self._quota.admit()
        request: StoreChange = StoreChange.parse(given)
        with self._shelf.catalog.transaction():
            live_store(self._shelf, id)
            self._shelf.change(VectorStore, id, lambda it: _changed(it, request))
            self._shelf.forget_replies(id)
            return self.retrieve(id)

    def search(self, vector_store_id: str, **given: Any) -> SearchResults:
        """The chunks of its files that are nearest to a query, best first. `given`: the fields of
        `SearchRequest`. Raises BadRequest for a store that has expired, or whose embedding model is
        another one now."""
        return self.search_for(vector_store_id, given)

    def search_for(self, id: str, given: dict[str, Any]) -> SearchResults:
        self._quota.admit(tokens=True)
        request: SearchRequest = SearchRequest.parse(given)
        store = live_store(self._shelf, id)
        found = self._searching.search(store, request)
        self.searched(store)
        return found

    def verify(
        self,
        vector_store_id: str,
        *,
        queries: int = 1000,
        progress: Callable[[int, int], None] = lambda *_: None,
    ) -> StoreVerification:
        """Compare what its index finds for so many stored vectors with every vector that there is,
        and the vectors with the chunks. Reads all of them twice. progress: told vectors read, and
        how many there are to read. Raises Corrupt for a damaged index."""
        store = live_store(self._shelf, vector_store_id)
        return self._searching.verify(store, queries, progress)

    def rows(self, vector_store_id: str, *, text: str = "text") -> StoreRows:
        """Its chunks as a source of `vectors.copying.copy`. text: what the attribute with the text
        of a chunk is called there."""
        return self._searching.rows(live_store(self._shelf, vector_store_id), text)

    def delete(self, vector_store_id: str) -> DeletedStore:
        """Forget a store, with the text and vectors of its files; the files themselves stay."""
        with self._shelf.catalog.transaction():
            self.retrieve(vector_store_id)
            self._attachments.forget(vector_store_id)
            self.reembeddings.forget(vector_store_id)
            self._shelf.delete(VectorStore, vector_store_id)
            self._removals.order_store(vector_store_id)
        self._removals.carry_out("remove-store", vector_store_id)
        return DeletedStore(id=vector_store_id)

    def follow(self, id: str, *, seconds: float = 0.3) -> Iterator[VectorStore]:
        """The store each time that it has changed, until all its files are read."""
        return changes(lambda: self.retrieve(id), ("in_progress",), seconds=seconds)

    def wait(self, id: str) -> VectorStore:
        """The store, once all its files are read. Needs a worker, of this process or of a
        server."""
        *_, last = self.follow(id)
        return last

    def searched(self, store: VectorStore) -> None:
        """It has just been searched."""
        if now() - (store.last_active_at or 0) >= USED_SECONDS:
            self._shelf.change(VectorStore, store.id, used)

    def sweep(self) -> None:
        """Let those expire that nobody has used for as long as they say: their text and vectors
        go, the records stay."""
        for store in self._shelf.all(VectorStore):
            if store.status != "expired" and seen(store).status == "expired":
                self._expire(store.id)

    def _expire(self, id: str) -> None:
        with self._shelf.catalog.transaction():
            if self.retrieve(id).status != "expired":  # used meanwhile
                return
            self._attachments.end(id)
            self.reembeddings.forget(id)
            gone = {"status": "expired", "usage_bytes": 0}
            self._shelf.change(VectorStore, id, lambda it: it.model_copy(update=gone))
            self._removals.order_store(id)
        self._removals.carry_out("remove-store", id)


def _changed(store: VectorStore, request: StoreChange) -> VectorStore:
    """By what was given; null of it takes away."""
    update = {name: getattr(request, name) for name in request.model_fields_set}
    if "name" in update:
        update["name"] = request.name or ""
    changed = store.model_copy(update=update)
    after, since = changed.expires_after, changed.last_active_at or changed.created_at
    return changed.model_copy(update={"expires_at": since + after.seconds if after else None})
