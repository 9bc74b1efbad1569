"""Vector stores by id, and which of them can still be used."""

from tunewright.catalog.catalog import Shelf
from tunewright.errors import BadRequest, NotFound
from tunewright.records.record import now
from tunewright.records.vector_stores import VectorStore


def store_of(shelf: Shelf, id: str) -> VectorStore:
    """Raises NotFound."""
    if found := shelf.get(VectorStore, id):
        return seen(found)
    raise NotFound(f"No vector store found with id '{id}'.", param="vector_store_id")


def live_store(shelf: Shelf, id: str) -> VectorStore:
    """The same, of one that can be searched and filled. Raises BadRequest where it has expired."""
    store = store_of(shelf, id)
    if store.status == "expired":
        raise BadRequest(
            f"Vector store {id} has expired: nobody used it for as long as its 'expires_after' "
            "says. Its list of files is still there: make a new store with the same file_ids.",
            param="vector_store_id",
            code="vector_store_expired",
        )
    return store


def seen(store: VectorStore) -> VectorStore:
    """As it is at this moment: its time may be over before the sweep has come to it."""
    over = store.expires_at is not None and store.expires_at <= now()
    return store.model_copy(update={"status": "expired"}) if over else store


def used(store: VectorStore) -> VectorStore:
    """With its time to expire counted from now on."""
    at = now()
    after = store.expires_after
    return store.model_copy(
        update={"last_active_at": at, "expires_at": at + after.seconds if after else None}
    )
