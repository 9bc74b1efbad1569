"""Search in a collection of a vector index: the embedded one, or a database."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.errors import NotFound
from tunewright.vectors import filters, open_index
from tunewright.vectors.index import VectorIndex

_NAMED = 10  # collections
Embedded = Callable[[Sequence[str], int], NDArray[np.float32]]


@dataclass(frozen=True)
class IndexHit:
    """`score`: as of `vectors.index.score_of`, higher is nearer."""

    id: str
    score: float
    attributes: Mapping[str, Any]


def search_index(
    url: str,
    collection: str,
    query: str,
    embedded: Embedded,
    *,
    top: int = 10,
    where: Mapping[str, Any] | None = None,
) -> list[IndexHit]:
    """The rows of a collection that are nearest to a query, nearest first.

    embedded: texts into vectors [m, d] of so many dimensions. Raises BadRequest, and what
    `open_index` raises; NotFound for a collection that is not there, with those that are.
    """
    tree = None if where is None else filters.parse(where, "filter")
    index = open_index(url)
    try:
        dimensions = _dimensions(index, collection)
        hits = index.search(collection, embedded([query], dimensions), top, tree)
        [ids], [scores] = hits.ids, hits.scores.tolist()
        rows = index.fetch(collection, ids) if ids else None
    finally:
        index.close()
    attributes = dict(zip(rows.ids, rows.attributes, strict=True)) if rows else {}
    return [
        IndexHit(id, score, attributes[id])
        for id, score in zip(ids, scores, strict=True)
        if id in attributes  # else it was deleted meanwhile
    ]


def _dimensions(index: VectorIndex, collection: str) -> int:
    try:
        return index.describe(collection).dimensions
    except NotFound:
        there = index.collections()
        named = ", ".join(there[:_NAMED]) + (", ..." if len(there) > _NAMED else "")
        said = f"It has: {named}." if there else "It has none."
        raise NotFound(f"There is no collection '{collection}' in this index. {said}") from None
