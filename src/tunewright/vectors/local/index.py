"""`LocalIndex`: the embedded index, of a directory."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from tunewright import durable
from tunewright.errors import BadRequest
from tunewright.vectors.checking import (
    check_new,
    check_same,
    checked_attributes,
    checked_ids,
    checked_k,
    checked_rows,
    checked_vectors,
    one_of,
)
from tunewright.vectors.filters import Attributes, Filter
from tunewright.vectors.index import Described, Floats, Hits, Metric, Rows
from tunewright.vectors.local import files, store
from tunewright.vectors.local.accelerating import WAYS
from tunewright.vectors.local.collection import Collection
from tunewright.vectors.local.opened import Opened

T = TypeVar("T")
MOST_DIMENSIONS = 16_384


class LocalIndex:
    """Each collection has a folder of its own in `directory`, with its file `index.db`.

    What it finds is what comparing every row in float64 would find, but where a collection is so
    large that a graph is faster (with faiss): that finds 0.99 of it or more, measured when it
    is made.
    Its contract: `vectors.index.VectorIndex`.
    """

    def __init__(self, directory: Path, way: str = "") -> None:
        """way: one of `accelerating.WAYS`; by itself it goes by the number of rows."""
        if way not in WAYS:
            known = ", ".join(f"'local+{name}'" for name in WAYS if name)
            raise BadRequest(f"There is no vector index 'local+{way}'. Known: 'local', {known}.")
        self._opened = Opened(directory, WAYS[way])

    def create(self, name: str, dimensions: int, metric: Metric = "cosine") -> None:
        check_new(name, dimensions, metric, MOST_DIMENSIONS)
        folder = self._opened.folder(name)
        assert folder is not None
        durable.make_directory(folder)
        with self._opened.alone():
            if not files.is_store(folder, name):
                files.remove(folder)  # what a drop or a making that was cut short has left
                store.make(folder / files.STORE, dimensions, metric)
                durable.sync_directory(folder)

        def same(collection: Collection) -> None:
            collection.look()
            own = collection.store
            check_same(name, (own.dimensions, own.metric), (dimensions, metric))

        self._with(name, same)

    def describe(self, name: str) -> Described:
        def found(collection: Collection) -> Described:
            collection.look()
            return Described(collection.store.dimensions, collection.store.metric)

        return self._with(name, found)

    def collections(self) -> list[str]:
        return self._opened.names()

    def refusal(self, dimensions: int, metric: Metric, rows: Rows | None = None) -> str | None:
        """Any rows are held."""
        if dimensions <= MOST_DIMENSIONS:
            return None
        return (
            f"The embedded index has vectors of at most {MOST_DIMENSIONS:,} dimensions; these have "
            f"{dimensions:,}. Embed with fewer dimensions."
        )

    def drop(self, name: str) -> None:
        folder = self._opened.folder(name)
        if folder is None or not folder.is_dir():
            return
        with durable.alone(folder):  # nobody writes files meanwhile
            with suppress(store.Gone):
                self._with(name, Collection.drop)
            self._opened.forget(name)
            with self._opened.alone():
                if not files.is_store(folder, name):  # somebody may have made another one meanwhile
                    files.remove(folder)

    def upsert(
        self,
        name: str,
        ids: Sequence[str],
        vectors: Floats | None,
        attributes: Sequence[Attributes],
    ) -> None:
        checked_ids(ids)
        plain = checked_attributes(attributes, len(ids))

        def write(collection: Collection) -> None:
            collection.look()  # its dimensions may be others by now
            own, given = collection.store, None
            if vectors is not None:
                given = checked_rows(vectors, len(ids), own.dimensions, own.metric)
            collection.upsert(ids, given, plain)

        self._with(name, write)

    def delete(
        self, name: str, *, ids: Sequence[str] | None = None, where: Filter | None = None
    ) -> None:
        one_of(ids, where)
        self._with(name, lambda collection: collection.delete(ids, where))

    def search(self, name: str, queries: Floats, k: int, where: Filter | None = None) -> Hits:
        checked_k(k)

        def find(collection: Collection) -> Hits:
            collection.look()
            own = collection.store
            checked = checked_vectors(queries, own.dimensions, own.metric, "queries")
            return collection.search(checked, k, where)

        return self._with(name, find)

    def count(self, name: str, where: Filter | None = None) -> int:
        return self._with(name, lambda collection: collection.count(where))

    def read(self, name: str, after: str | None = None, limit: int = 1000) -> Rows:
        return self._with(name, lambda collection: collection.read(after, limit))

    def fetch(self, name: str, ids: Sequence[str]) -> Rows:
        checked_ids(ids)
        return self._with(name, lambda collection: collection.fetch(ids))

    def settled(self, name: str) -> bool:
        """Whether searches of it will not become faster by waiting."""
        return self._with(name, lambda collection: collection.settled())

    def close(self) -> None:
        self._opened.close()

    def _with(self, name: str, do: Callable[[Collection], T]) -> T:
        """`do` with the collection; once more where that one was dropped, for another of that name
        may be there."""
        try:
            with self._opened.using(name) as collection:
                return do(collection)
        except store.Gone:
            with self._opened.using(name) as collection:
                return do(collection)
