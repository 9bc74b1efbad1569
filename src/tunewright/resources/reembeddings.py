"""Vector stores are embedded anew here; the worker does it (`work.reembed`).

The new vectors go into a second collection of the index, beside the one that is searched meanwhile.
When they are complete the store changes over in one transaction, and the old ones go.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tunewright.catalog.catalog import Shelf
from tunewright.errors import BadRequest, JobFailed, NotFound
from tunewright.records.jobs import JobError
from tunewright.records.record import now
from tunewright.records.reembeddings import OPEN, Reembedding
from tunewright.records.vector_store_files import VectorStoreFile
from tunewright.records.vector_stores import VectorStore
from tunewright.resources.ingestion import FLOAT
from tunewright.resources.live_stores import live_store
from tunewright.resources.progress import changes, move
from tunewright.resources.removals import Removals
from tunewright.resources.store_contents import collections
from tunewright.resources.store_models import StoreModels
from tunewright.tasks import Tasks
from tunewright.usage import Quota


class Reembeddings:
    def __init__(
        self,
        shelf: Shelf,
        tasks: Tasks,
        removals: Removals,
        models: StoreModels,
        quota: Quota,
    ) -> None:
        self._shelf = shelf
        self._tasks = tasks
        self._removals = removals
        self._models = models
        self._quota = quota

    def create(self, vector_store_id: str, *, model: str) -> Reembedding:
        """Have the texts of a store embedded by `model`. Until that is done, it is searched as it
        is. Raises NotFound; BadRequest where it has these vectors already, or it is under way."""
        self._quota.admit()
        store = live_store(self._shelf, vector_store_id)
        embedding = self._models.today(model)
        first, second = collections(store.id)
        other = second if store.embedding.collection_of(store.id) == first else None
        made = Reembedding(
            vector_store_id=store.id,
            model=model,
            embedding=embedding.model_copy(update={"collection": other}),
        )
        with self._shelf.catalog.transaction():
            self._check(live_store(self._shelf, store.id), made)
            self._shelf.put(made, subject=store.id)
            self._tasks.enqueue("reembed", made.id, self._shelf.organisation)
        return made

    def _check(self, store: VectorStore, wanted: Reembedding) -> None:
        for other in self._of(store.id):
            raise BadRequest(
                f"{store.id} is being embedded anew by `{other.model}` ({other.id}). Wait for the "
                "end of that, or cancel it.",
                param="vector_store_id",
                code="reembedding_under_way",
            )
        same = wanted.embedding.model_copy(update={"collection": store.embedding.collection})
        if same == store.embedding:
            raise BadRequest(
                f"The vectors of {store.id} are by `{wanted.model}` already, with the files that "
                "it has now.",
                param="model",
                code="embedding_model_unchanged",
            )

    def under_way(self, vector_store_id: str, *, model: str) -> Reembedding | None:
        """The one that embeds this store by `model` and has not ended."""
        found = self._of(vector_store_id)
        return next((each for each in found if each.model == model), None)

    def _of(self, store: str) -> list[Reembedding]:
        """Those of a store that have not ended."""
        found = self._shelf.all(Reembedding, subject=store)
        return [each for each in found if each.status in OPEN]

    def retrieve(self, id: str) -> Reembedding:
        if found := self._shelf.get(Reembedding, id):
            return found
        raise NotFound(f"There is no re-embedding {id}.", param="id")

    def follow(self, id: str, *, seconds: float = 0.3) -> Iterator[Reembedding]:
        """It, whenever it has got further, until it has ended."""
        return changes(lambda: self.retrieve(id), OPEN, seconds=seconds)

    def wait(self, id: str) -> Reembedding:
        """It, once it has ended. Needs a worker, of this process or of a server."""
        *_, last = self.follow(id)
        return last

    def cancel(self, id: str) -> Reembedding:
        """The store keeps the vectors that it has. Raises BadRequest for one that has ended."""
        with self._shelf.catalog.transaction():
            found = self.retrieve(id)
            if found.status not in OPEN:
                raise BadRequest(f"{id} has ended already: it is {found.status}.", param="id")
            return self._end(found, status="cancelled")

    def forget(self, store: str) -> None:
        """Of a store that is deleted. Part of a transaction."""
        for each in self._of(store):
            self._tasks.cancel(each.id)
        self._shelf.clear(Reembedding, store)

    def fail(self, id: str, error: JobFailed) -> None:
        """Part of a transaction."""
        why = JobError(code=error.code or "error", message=error.message, param=error.param)
        self._end(self.retrieve(id), status="failed", error=why)

    def _end(self, found: Reembedding, **update: Any) -> Reembedding:
        self._tasks.cancel(found.id)
        self._removals.order_collections(found.vector_store_id)
        return self.move(found.id, finished_at=now(), **update)

    def move(self, id: str, **update: Any) -> Reembedding:
        """Change one that has not ended. Raises Moved otherwise."""
        return move(self._shelf, Reembedding, id, OPEN, **update)

    def change_over(self, found: Reembedding, counts: Mapping[str, int]) -> None:
        """The store is searched by the new vectors from now on. counts: chunks of each file. Part
        of a transaction; the store has to be claimed."""
        changed = {"embedding": found.embedding, "embedding_model": found.model}
        store = live_store(self._shelf, found.vector_store_id)
        self._shelf.change(VectorStore, store.id, lambda it: it.model_copy(update=changed))
        if more := found.embedding.dimensions - store.embedding.dimensions:
            self._count(store.id, {file: more * FLOAT * count for file, count in counts.items()})
        self._removals.order_collections(store.id)
        done = {"chunks": sum(counts.values()), "done": sum(counts.values())}
        self.move(found.id, status="succeeded", finished_at=now(), **done)

    def _count(self, store: str, more: Mapping[str, int]) -> None:
        """Each file uses so many bytes more."""
        total = 0
        for file in self._shelf.all(VectorStoreFile, subject=store, where={"status": "completed"}):
            total += more.get(file.id, 0)
            update = {"usage_bytes": file.usage_bytes + more.get(file.id, 0)}
            self._shelf.change(
                VectorStoreFile, file.kept_as, lambda it, new=update: it.model_copy(update=new)
            )
        self._shelf.change(
            VectorStore,
            store,
            lambda it: it.model_copy(update={"usage_bytes": it.usage_bytes + total}),
        )
