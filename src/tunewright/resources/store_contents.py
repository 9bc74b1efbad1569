"""What vector stores hold: the text of their chunks, and the vectors of these in an index.

A store's vectors are in a collection of the index; while it is embedded anew there is a second one.
Who changes what a store holds has claimed its folder, so two never do at once: a worker that reads
files into it, one that removes some, a server.
"""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from tunewright import durable
from tunewright.chunks import ChunkStore
from tunewright.errors import NotFound
from tunewright.faults import fault
from tunewright.home import Home
from tunewright.resources.claims import claim, claim_new
from tunewright.vectors import open_index
from tunewright.vectors.filters import Attributes
from tunewright.vectors.index import VectorIndex

KEPT_STORES = 32  # whose chunks are kept open: two connections each, of three files


class StoreContents:
    def __init__(self, home: Home, place: str = "") -> None:
        """place: of the index; empty: in the home."""
        self._home = home
        self._place = place or home.vectors
        self._lock = threading.Lock()
        self._index: VectorIndex | None = None
        self._stores: OrderedDict[str, ChunkStore] = OrderedDict()

    @property
    def index(self) -> VectorIndex:
        """Opened when it is first asked for."""
        with self._lock:
            if self._index is None:
                self._index = open_index(self._place)
            return self._index

    def chunks(self, store: str) -> ChunkStore:
        with self._lock:
            found = self._stores.pop(store, None)
            found = found or ChunkStore(self._home.vector_store(store) / "chunks.db")
            self._stores[store] = found  # the latest last
            old = len(self._stores) > KEPT_STORES and self._stores.popitem(last=False)
        if old:
            old[1].close()
        return found

    @contextmanager
    def claimed(self, store: str) -> Iterator[None]:
        """Nobody else changes what `store` holds for the length of the block; waits for that."""
        with claim_new(self._home.vector_store(store)):
            yield

    @contextmanager
    def if_free(self, store: str) -> Iterator[bool]:
        """The same without waiting: False where somebody else has claimed it, and it is there."""
        lock = claim(self._home.vector_store(store))
        with lock or contextlib.nullcontext():
            yield lock is not None or not self._home.vector_store(store).exists()

    def remove(self, store: str, file: str) -> None:
        """All chunks of a file: their vectors first, whose ids are known by what is left here."""
        chunks = self.chunks(store)
        if reading := chunks.begun(file):
            for name in collections(store):
                with contextlib.suppress(NotFound):  # there is one, as a rule
                    self.index.delete(name, ids=reading.ids)
            fault("vectors.deleted")
            chunks.remove(file)

    def describe(self, store: str, file: str, attributes: Attributes) -> None:
        """Give all chunks of a file these attributes and no others."""
        ids = [chunk.id for chunk in self.chunks(store).of(file)]
        for name in collections(store):
            with contextlib.suppress(NotFound):
                self.index.upsert(name, ids, None, [attributes] * len(ids))

    def drop(self, store: str) -> None:
        """A store with all that it holds. It has to be claimed, where it is there."""
        for name in collections(store):
            self.drop_collection(store, name)
        with self._lock:
            chunks = self._stores.pop(store, None)
        if chunks is not None:
            chunks.close()
        durable.remove(self._home.vector_store(store))

    def drop_others(self, store: str, used: str) -> None:
        """The vectors of a store that are not in this collection."""
        for name in collections(store):
            if name != used:
                self.drop_collection(store, name)

    def drop_collection(self, store: str, name: str) -> None:
        self.index.drop(name)
        if name != store:  # where the texts are
            durable.remove(self._home.vector_store(name))

    def close(self) -> None:
        with self._lock:
            stores, self._stores = list(self._stores.values()), OrderedDict()
            index, self._index = self._index, None
        for chunks in stores:
            chunks.close()
        if index is not None:
            index.close()


def collections(store: str) -> tuple[str, str]:
    """Those of a store in the index: one has its vectors, and the other one may be filled with
    those of another model."""
    return store, f"{store}-2"


def alike(one: Attributes | None, other: Attributes | None) -> bool:
    """Whether both have the same attributes; to Python true equals 1."""
    return one == other and _booleans(one) == _booleans(other)


def _booleans(attributes: Attributes | None) -> set[str]:
    return {key for key, value in (attributes or {}).items() if isinstance(value, bool)}
