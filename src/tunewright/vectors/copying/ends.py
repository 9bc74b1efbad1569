"""What is copied from, and what to. An index is both."""

from collections.abc import Iterator
from typing import Any, Protocol

from tunewright.errors import NotFound
from tunewright.vectors.filters import Filter
from tunewright.vectors.index import Described, Floats, Hits, Rows, VectorIndex

PAGE = 2_000_000  # numbers of the vectors of a page: 8 MB
MOST_OF_A_PAGE = 4096  # rows
Mark = Any
"""Where to go on: of an index the last id that was read, of a file the number of its rows. JSON."""


class Source(Protocol):
    """`label`: as messages call it. `collection`: its name, for a destination that is given none.
    `repeats`: whether an id may come twice (a file). `version`: changes with what is in it, where
    that can be told cheaply (a file); a copy that goes on must find the same."""

    label: str
    collection: str
    repeats: bool
    version: str

    def describe(self) -> Described: ...

    def rows(self) -> int:
        """How many there are, without any filter."""
        ...

    def pages(self, after: Mark | None) -> Iterator[tuple[Mark, Rows]]:
        """The rows, some thousand at a time, and the mark after each page. What is read again from
        a mark is what would have come after it."""
        ...

    def notes(self) -> list[str]:
        """What the reader should know of how rows were read, such as a list kept as JSON."""
        ...


class Destination(Protocol):
    label: str

    def there(self) -> int:
        """How many rows it has; 0 where it is not there."""
        ...

    def refusal(self, about: Described, rows: Rows | None = None) -> str | None:
        """`VectorIndex.refusal`"""
        ...

    def begin(self, about: Described) -> None:
        """Made, unless it is there."""
        ...

    def put(self, number: int, rows: Rows) -> None:
        """The page of this number, from 0. One that is put again replaces what it was."""
        ...

    def finish(self, pages: int) -> None:
        """All of the first so many pages were put."""
        ...

    def pages(self) -> Iterator[Rows]:
        """What it has now."""
        ...

    def count(self, where: Filter | None) -> int: ...

    def search(self, queries: Floats, k: int) -> Hits | None:
        """None of what cannot be searched."""
        ...


class OfIndex:
    """A collection of an index, as a source and as a destination."""

    repeats = False
    version = ""

    def __init__(self, index: VectorIndex, place: str, collection: str) -> None:
        self.label = f"{place}#{collection}"
        self.collection = collection
        self._index = index

    def describe(self) -> Described:
        return self._index.describe(self.collection)

    def rows(self) -> int:
        return self._index.count(self.collection)

    def pages(self, after: Mark | None = None) -> Iterator[tuple[Mark, Rows]]:
        size = rows_of_a_page(self.describe().dimensions)
        while (rows := self._index.read(self.collection, after, size)).ids:
            after = rows.ids[-1]
            yield after, rows

    def notes(self) -> list[str]:
        return []


class IntoIndex:
    """Its contract: `Destination`."""

    def __init__(self, index: VectorIndex, place: str, collection: str) -> None:
        self._from = OfIndex(index, place, collection)
        self.label = self._from.label
        self._index, self._collection = index, collection

    def there(self) -> int:
        try:
            return self._index.count(self._collection)
        except NotFound:
            return 0

    def refusal(self, about: Described, rows: Rows | None = None) -> str | None:
        return self._index.refusal(about.dimensions, about.metric, rows)

    def begin(self, about: Described) -> None:
        self._index.create(self._collection, about.dimensions, about.metric)

    def put(self, number: int, rows: Rows) -> None:
        self._index.upsert(self._collection, rows.ids, rows.vectors, rows.attributes)

    def finish(self, pages: int) -> None:
        pass

    def pages(self) -> Iterator[Rows]:
        for _, rows in self._from.pages():
            yield rows

    def count(self, where: Filter | None) -> int:
        return self._index.count(self._collection, where)

    def search(self, queries: Floats, k: int) -> Hits | None:
        return self._index.search(self._collection, queries, k)


def rows_of_a_page(dimensions: int) -> int:
    return max(16, min(MOST_OF_A_PAGE, PAGE // max(1, dimensions)))
