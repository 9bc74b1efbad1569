"""`Database`: what a connector writes, and what is completed for it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tunewright.errors import TunewrightError
from tunewright.vectors.filters import Comparison, Filter
from tunewright.vectors.index import Floats, Metric

Plain: TypeAlias = dict[str, str | bool | float]


@dataclass(frozen=True)
class Collection:
    name: str
    dimensions: int
    metric: Metric
    own: Any = None  # what the connector keeps of it, such as the client's object


@dataclass(frozen=True)
class Limits:
    """Of one request. What is larger goes in pieces, each of which is whole or absent: a larger
    `upsert` that is cut off leaves its first pieces."""

    rows: int = 1000  # that are written
    size: int = 16_000_000  # bytes of these in JSON
    ids: int = 1000  # that are fetched or deleted
    nearest: int = 10_000  # hits of one search
    queries: int = 1  # searched for together
    dimensions: int = 16_384
    metrics: tuple[Metric, ...] = ("cosine", "dot", "euclidean")  # others: every row is read
    seconds: float | None = 30.0  # until it is given up; None where nothing can hang
    # Whether the database itself refuses what is meant for a collection that others have dropped,
    # or made anew with other vectors; else it is asked for the collection before each write.
    refuses_others: bool = False
    # Whether fewer hits than asked for are all there are; else `count` is asked.
    short_is_all: bool = False


@dataclass(frozen=True)
class Page:
    """Some rows. `vectors` [n, d] and `attributes` [n] where they were asked for."""

    ids: list[str]
    vectors: Floats | None = None
    attributes: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class Found:
    """The nearest rows to one query, nearest first as the database has it.

    `distances` [n]: as `Hits.distances`, made of the database's own score. Where `vectors` [n, d]
    are given, the distances are computed from them instead.
    """

    ids: list[str]
    distances: NDArray[np.float64]
    attributes: Sequence[Mapping[str, Any]] | None = None
    vectors: Floats | None = None


class Database(ABC):
    """One place with named collections. A connector is one subclass, and its `open(place)`.

    What it gets has been checked: names of letters, digits, _ and -; finite vectors of the right
    length; distinct ids; attributes of the three types, numbers as floats. A filter has only the
    comparisons that `expresses` names; it is `filters.EVERY` where there is none, and never NONE.
    No method has to be patient or to catch anything: `calling` keeps the deadline and asks
    `error_of`.
    """

    limits: Limits = Limits()

    @abstractmethod
    def collection(self, name: str) -> Collection | None: ...

    @abstractmethod
    def names(self) -> Iterator[str]:
        """Of the collections that `create` has made, in any order."""

    @abstractmethod
    def create(self, name: str, dimensions: int, metric: Metric) -> None:
        """It is not there, or another process is just making it."""

    @abstractmethod
    def drop(self, collection: Collection) -> None: ...

    @abstractmethod
    def put(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> None:
        """Add or replace rows, whole; seen by every search that begins when this has returned."""

    @abstractmethod
    def remove(self, collection: Collection, ids: Sequence[str]) -> None:
        """Those that are there."""

    @abstractmethod
    def fetch(self, collection: Collection, ids: Sequence[str]) -> Page:
        """Those that are there, in any order, with vectors and attributes."""

    @abstractmethod
    def search(
        self, collection: Collection, queries: Floats, n: int, where: Filter, attributes: bool
    ) -> list[Found]:
        """The n nearest to each of queries [m, d], by the collection's metric; fewer where fewer
        match. attributes: whether they are needed."""

    @abstractmethod
    def count(self, collection: Collection, where: Filter) -> int: ...

    @abstractmethod
    def pages(
        self, collection: Collection, where: Filter, *, vectors: bool, attributes: bool
    ) -> Iterator[Page]:
        """All rows that match, each once, in any order."""

    @abstractmethod
    def close(self) -> None: ...

    def expresses(self, comparison: Comparison) -> bool:
        """Whether the database evaluates it exactly as `filters` says: of missing keys, of types,
        of case. What it does not is evaluated here, on rows that match the rest of the filter."""
        return False

    def fits(self, where: Filter) -> bool:
        """Whether a filter of comparisons that are expressed is not too large as a whole; where it
        is, the database is asked without it."""
        return True

    def most(self, collection: Collection, attributes: bool) -> int:
        """Hits of one search, where it depends on how large they are."""
        return self.limits.nearest

    def refusal(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> str | None:
        """Why the database cannot hold one of these rows, and what to do; asked before the first
        is written, also of a collection that is not made yet (`own` is None then)."""
        return None

    def error_of(self, error: Exception) -> TunewrightError | None:
        """What an exception of the client means; None: as `calling` has it."""
        return None

    def remove_where(self, collection: Collection, where: Filter) -> bool:
        """False where the database cannot: their ids are looked up."""
        return False

    def read(self, collection: Collection, after: str | None, limit: int) -> Page | None:
        """The first rows after this id, in the order of ids, with vectors and attributes. None
        where the database has no such order: ids are listed and sorted here."""
        return None
