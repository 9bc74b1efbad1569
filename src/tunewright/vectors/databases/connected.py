"""`Connected`: the verbs of an index on a `Database`, which means that what a database cannot do is
done here."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from tunewright.errors import BadRequest, NotFound, TunewrightError, Unavailable
from tunewright.vectors.checking import (
    check_new,
    check_same,
    checked_attributes,
    checked_ids,
    checked_k,
    checked_rows,
    checked_vectors,
    may_be_name,
    one_of,
)
from tunewright.vectors.databases.calling import Calls
from tunewright.vectors.databases.database import Collection, Database, Limits, Page
from tunewright.vectors.databases.listing import Listings
from tunewright.vectors.databases.nearest import Nearest, Split
from tunewright.vectors.databases.place import Place
from tunewright.vectors.databases.splitting import weaker
from tunewright.vectors.filters import EVERY, NONE, Attributes, Filter
from tunewright.vectors.index import Described, Floats, Hits, Metric, Rows

T = TypeVar("T")
_KNOWN = 3.0  # seconds for which searches take a collection to be there still


class Connected:
    """Its contract: `vectors.index.VectorIndex`, with one difference: an `upsert` of more rows than
    `limits` has for one request is written in pieces, and only each of them is whole or absent."""

    def __init__(self, place: Place, database: Database) -> None:
        self.place = place
        self.database = database
        self.call = Calls(database, place)
        self._listings = Listings()
        self._known: dict[str, tuple[float, Collection]] = {}

    @property
    def limits(self) -> Limits:
        return self.database.limits

    def __repr__(self) -> str:
        return f"Connected({self.place})"

    def create(self, name: str, dimensions: int, metric: Metric = "cosine") -> None:
        check_new(name, dimensions, metric, self.limits.dimensions)
        there = self.call(lambda: self.database.collection(name))
        if there is None:
            self.call(lambda: self.database.create(name, dimensions, metric))
            there = self._collection(name)
        check_same(name, (there.dimensions, there.metric), (dimensions, metric))

    def drop(self, name: str) -> None:
        self._forget(name)
        if not may_be_name(name):
            return
        there = self.call(lambda: self.database.collection(name))
        if there is not None:
            self.call(lambda: self.database.drop(there))
        self._forget(name)

    def describe(self, name: str) -> Described:
        return self._with(name, lambda found: Described(found.dimensions, found.metric))

    def collections(self) -> list[str]:
        return sorted(set(self.call(lambda: list(self.database.names()))))

    def refusal(self, dimensions: int, metric: Metric, rows: Rows | None = None) -> str | None:
        if dimensions > self.limits.dimensions:
            return (
                f"{self.place} has vectors of at most {self.limits.dimensions:,} dimensions; these "
                f"have {dimensions:,}. Embed with fewer dimensions."
            )
        if rows is None:
            return None
        collection = Collection("", dimensions, metric)
        return self.database.refusal(collection, rows.ids, rows.vectors, rows.attributes)

    def upsert(
        self,
        name: str,
        ids: Sequence[str],
        vectors: Floats | None,
        attributes: Sequence[Attributes],
    ) -> None:
        checked_ids(ids)
        plain = checked_attributes(attributes, len(ids))
        self._with(name, lambda found: self._upsert(found, ids, vectors, plain), writes=True)

    def _upsert(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats | None,
        plain: Sequence[Mapping[str, Any]],
    ) -> None:
        given = None
        if vectors is not None:
            given = checked_rows(vectors, len(ids), collection.dimensions, collection.metric)
        last = list({id: at for at, id in enumerate(ids)}.values())  # of an id given twice
        ids, plain = [ids[at] for at in last], [plain[at] for at in last]
        given = self._vectors_of(collection, ids) if given is None else given[last]
        if why := self.database.refusal(collection, ids, given, plain):
            raise BadRequest(why)
        self._listings.forget(collection.name)
        for some in pieces(plain, collection.dimensions, self.limits):
            self.call(
                lambda some=some: self.database.put(collection, ids[some], given[some], plain[some])
            )

    def _vectors_of(self, collection: Collection, ids: Sequence[str]) -> Floats:
        """[ids, d]. Raises NotFound, of one that is not there."""
        found = self._fetched(collection, ids)
        if missing := next((id for id in ids if id not in found), None):
            raise NotFound(f"There is no row '{missing}' in the collection '{collection.name}'.")
        vectors = [found[id][0] for id in ids]
        return np.array(vectors, np.float32).reshape(len(ids), collection.dimensions)

    def _fetched(
        self, collection: Collection, ids: Sequence[str]
    ) -> dict[str, tuple[Floats, Mapping[str, Any]]]:
        rows: dict[str, tuple[Floats, Mapping[str, Any]]] = {}
        for some in _by(ids, self.limits.ids):
            page = self.call(lambda some=some: self.database.fetch(collection, some))
            assert page.vectors is not None
            assert page.attributes is not None
            for id, vector, attributes in zip(page.ids, page.vectors, page.attributes, strict=True):
                rows[id] = vector, attributes
        return rows

    def delete(
        self, name: str, *, ids: Sequence[str] | None = None, where: Filter | None = None
    ) -> None:
        one_of(ids, where)
        self._listings.forget(name)
        self._with(name, lambda collection: self._delete(collection, ids, where), writes=True)

    def _delete(
        self, collection: Collection, ids: Sequence[str] | None, where: Filter | None
    ) -> None:
        if where is not None:
            split = self._split(where)
            if split.weaker == NONE:
                return
            if split.exact and self.call(lambda: self.database.remove_where(collection, where)):
                return
            ids = [id for page in self._matching(collection, split) for id in page]
        for some in _by(list(dict.fromkeys(ids or ())), self.limits.ids):
            self.call(lambda some=some: self.database.remove(collection, some))

    def search(self, name: str, queries: Floats, k: int, where: Filter | None = None) -> Hits:
        checked_k(k)

        def find(collection: Collection) -> Hits:
            checked = checked_vectors(queries, collection.dimensions, collection.metric, "queries")
            nearest = Nearest(self.database, collection, self.call)
            return nearest.search(checked, k, self._split(where))

        return self._with(name, find)

    def count(self, name: str, where: Filter | None = None) -> int:
        split = self._split(where)
        return self._with(name, lambda collection: self._count(collection, split))

    def _count(self, collection: Collection, split: Split) -> int:
        if split.weaker == NONE:
            return 0
        if split.exact:
            return self.call(lambda: self.database.count(collection, split.weaker))
        return sum(len(page) for page in self._matching(collection, split))

    def _matching(self, collection: Collection, split: Split) -> Iterator[list[str]]:
        """The ids, page by page."""
        pages = self.database.pages(
            collection, split.weaker, vectors=False, attributes=not split.exact
        )
        while (page := self.call(lambda: next(pages, None))) is not None:
            yield [page.ids[at] for at in split.keeps(page)]

    def read(self, name: str, after: str | None = None, limit: int = 1000) -> Rows:
        def read(collection: Collection) -> Rows:
            page = self.call(lambda: self.database.read(collection, after, limit))
            if page is not None:
                return _in_order(page, collection)
            return self._listed(collection, after, limit)

        return self._with(name, read)

    def _listed(self, collection: Collection, after: str | None, limit: int) -> Rows:
        """By the sorted list of all ids, which is kept for who asks for the next page."""

        def ids() -> list[str]:
            split = self._split(None)
            return sorted(id for page in self._matching(collection, split) for id in page)

        taken, rows = self._listings.after(collection.name, after, limit, ids), {}
        while taken:
            rows |= self._fetched(collection, taken)
            if len(rows) >= limit:
                break
            # Some were deleted meanwhile: as many as were asked for, or the last.
            taken = self._listings.after(collection.name, taken[-1], limit - len(rows), ids)
        return _rows(rows, collection)

    def fetch(self, name: str, ids: Sequence[str]) -> Rows:
        checked_ids(ids)

        def fetched(collection: Collection) -> Rows:
            return _rows(self._fetched(collection, list(dict.fromkeys(ids))), collection)

        return self._with(name, fetched)

    def close(self) -> None:
        if not self.call.closed:
            self.call.close()
            self.database.close()

    def _split(self, where: Filter | None) -> Split:
        tree = EVERY if where is None else where
        part = weaker(tree, self.database.expresses)
        return Split(tree, part if self.database.fits(part) else EVERY)

    def _with(self, name: str, do: Callable[[Collection], T], writes: bool = False) -> T:
        """`do` with the collection; where another one of that name is there meanwhile, with that.
        Raises NotFound where there is none."""
        since, known = self._known.get(name, (0.0, None))
        asks = writes and not self.limits.refuses_others
        if known is None or asks or self.call.closed or time.monotonic() - since > _KNOWN:
            return do(self._collection(name))
        try:
            return do(known)
        except Unavailable:
            raise
        except TunewrightError:
            there = self._collection(name)
            if (there.dimensions, there.metric) == (known.dimensions, known.metric):
                raise
            return do(there)

    def _collection(self, name: str) -> Collection:
        """As the database has it now. Raises NotFound."""
        found = self.call(lambda: self.database.collection(name)) if may_be_name(name) else None
        if found is None:
            self._forget(name)
            raise NotFound(f"There is no collection '{name[:200]}' in the vector index.")
        self._known[name] = time.monotonic(), found
        return found

    def _forget(self, name: str) -> None:
        self._known.pop(name, None)
        self._listings.forget(name)


def _rows(found: Mapping[str, tuple[Floats, Mapping[str, Any]]], collection: Collection) -> Rows:
    order = sorted(found)
    vectors = np.array([found[id][0] for id in order], np.float32)
    return Rows(
        order,
        vectors.reshape(len(order), collection.dimensions),
        [dict(found[id][1]) for id in order],
    )


def _by(ids: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), most):
        yield ids[start : start + most]


def pieces(
    attributes: Sequence[Mapping[str, Any]], dimensions: int, limits: Limits
) -> Iterator[slice]:
    """Of rows with these attributes: what goes in one request."""
    start, size = 0, 0
    for at, row in enumerate(attributes):
        # In JSON: a number has up to 20 digits and signs, a letter up to 6; both texts of a row.
        own = 20 * dimensions + sum(
            2 * len(key) + 12 * len(value) if isinstance(value, str) else 2 * len(key) + 50
            for key, value in row.items()
        )
        if at > start and (at - start == limits.rows or size + own > limits.size):
            yield slice(start, at)
            start, size = at, 0
        size += own
    if start < len(attributes):
        yield slice(start, len(attributes))


def _in_order(page: Page, collection: Collection) -> Rows:
    assert page.vectors is not None
    assert page.attributes is not None
    vectors = np.asarray(page.vectors, np.float32).reshape(len(page.ids), collection.dimensions)
    return Rows(page.ids, vectors, [dict(one) for one in page.attributes])
