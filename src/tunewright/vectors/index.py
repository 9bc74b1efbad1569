"""The `VectorIndex` protocol: vectors by id, with attributes, and those nearest to a vector.

Light: numpy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tunewright.vectors.filters import Attributes, Filter

Metric: TypeAlias = Literal["cosine", "dot", "euclidean"]
Floats: TypeAlias = NDArray[np.float32]

MOST_ID = 512  # bytes of an id in UTF-8


@dataclass(frozen=True)
class Hits:
    """Of each of m queries the nearest rows, nearest first; all queries have equally many.

    `distances`: by the metric, smaller is nearer: 1 - cosine similarity (0..2), the negative dot
    product, or the Euclidean length of the difference. `scores`: `score_of` these.
    """

    ids: list[list[str]]  # [m][hits]
    scores: Floats  # [m, hits]
    distances: Floats  # [m, hits]


@dataclass(frozen=True)
class Rows:
    """Stored rows, in the order of their ids (by Unicode code point)."""

    ids: list[str]  # [n]
    vectors: Floats  # [n, d], as they were given
    attributes: list[dict[str, str | bool | float]]  # [n]


@dataclass(frozen=True)
class Described:
    """What a collection was made with."""

    dimensions: int
    metric: Metric


class VectorIndex(Protocol):
    """One place (a directory, a database) with any number of named collections of vectors.

    * One instance serves any number of threads at once, and other processes may have the same place
      open. Who writes waits for other writers; who searches waits for nobody who writes.
    * A call that changes something is whole or absent: a killed process leaves all of an `upsert`
      or none of it. When it has returned, it is on the disk, and each search that begins after that
      sees it, here and in every process. Raises StorageFull where there is no room: nothing of the
      call was written.
    * What is asked of a collection that does not exist raises NotFound. A vector of another length
      than the collection's, one that is not finite, one of length 0 where the metric is cosine, and
      an id that is empty or over `MOST_ID` bytes raise BadRequest before anything is written.
    * A place that is damaged raises Corrupt, which says what to do. One that cannot be reached, or
      does not answer within its deadline (30 seconds where none was set), raises Unavailable. What
      was being written then is either done or not: the same `upsert` or `delete` may be sent again.
    """

    def create(self, name: str, dimensions: int, metric: Metric = "cosine") -> None:
        """Nothing happens where it exists with the same dimensions and metric; BadRequest where
        with others."""
        ...

    def drop(self, name: str) -> None:
        """The collection and all its rows. Nothing happens where there is none."""
        ...

    def describe(self, name: str) -> Described: ...

    def collections(self) -> list[str]:
        """The names of those that `create` has made, here or in another process, sorted."""
        ...

    def refusal(self, dimensions: int, metric: Metric, rows: Rows | None = None) -> str | None:
        """Why no collection of such vectors can be made here, or why it could not hold these rows,
        and what to do about it: asked before the first of many writes. None: it can.

        What no index can hold (an empty id, a vector that is not finite) is not asked here.
        """
        ...

    def upsert(
        self,
        name: str,
        ids: Sequence[str],
        vectors: Floats | None,
        attributes: Sequence[Attributes],
    ) -> None:
        """Add rows; a row whose id is there is replaced as a whole, attributes too.

        vectors: [n, d] of any float type; None: the rows keep theirs and get other attributes, and
        an id that is not there raises NotFound. Of an id that is given twice the last row counts.
        Attributes are of the types str, bool, float and int; a number becomes a double.
        """
        ...

    def delete(
        self, name: str, *, ids: Sequence[str] | None = None, where: Filter | None = None
    ) -> None:
        """The rows with these ids, or those that the filter matches: one of the two, never both
        (BadRequest). An id that is not there is no error."""
        ...

    def search(self, name: str, queries: Floats, k: int, where: Filter | None = None) -> Hits:
        """The k nearest rows to each of queries [m, d] among those that the filter matches; all of
        them where there are fewer. k >= 1. Rows of equal distance are in the order of their ids.

        The filter is exact whatever finds the rows: none that does not match, and no fewer than k
        where k match. Whether the hits are the true nearest depends on the index: one that is not
        exact says so, and how its recall is measured.
        """
        ...

    def count(self, name: str, where: Filter | None = None) -> int:
        """How many rows the filter matches; all without one."""
        ...

    def read(self, name: str, after: str | None = None, limit: int = 1000) -> Rows:
        """The first `limit` rows whose id comes after this one: to copy, verify or embed anew."""
        ...

    def fetch(self, name: str, ids: Sequence[str]) -> Rows:
        """The rows with these ids, of those that are there, each once and in the order of ids."""
        ...

    def close(self) -> None:
        """Calls after it raise Unavailable."""
        ...


def score_of(distances: Floats, metric: Metric) -> Floats:
    """What `Hits.scores` means, whatever the index: higher is nearer.

    Cosine: the similarity, of which less than 0 counts as 0, so that it lies in 0..1 as OpenAI's
    does; dot: the product; euclidean: 1 / (1 + distance).
    """
    if metric == "cosine":
        return np.minimum(np.maximum(np.float32(1) - distances, 0), 1)
    return -distances if metric == "dot" else np.float32(1) / (np.float32(1) + distances)
