"""Qdrant's collections as LangChain writes them, a payload of `page_content` and `metadata`, and
others: each value of the payload is an attribute."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np

from tunewright.errors import BadRequest
from tunewright.vectors.copying.ends import Mark, rows_of_a_page
from tunewright.vectors.copying.values import Values, merge, with_text
from tunewright.vectors.databases.connected import Connected
from tunewright.vectors.databases.qdrant import Qdrant
from tunewright.vectors.filters import Value
from tunewright.vectors.index import Described, Metric, Rows

_DISTANCES: dict[str, Metric] = {"Cosine": "cosine", "Dot": "dot", "Euclid": "euclidean"}


def names(index: Connected) -> list[str]:
    ours = set(index.collections())
    there = index.call(lambda: _client(index).get_collections().collections)
    return [found.name for found in there if found.name not in ours]


def source(
    index: Connected, collection: str, metric: Metric | None, text: str
) -> "QdrantSource | None":
    if collection not in names(index):
        return None
    return QdrantSource(index, collection, text)


def _client(index: Connected) -> Any:
    return cast("Qdrant", index.database).client


class QdrantSource:
    """Its contract: `Source`. In Qdrant's own order of points, whose next one is the mark."""

    repeats = False
    version = ""

    def __init__(self, index: Connected, name: str, text: str) -> None:
        self.label, self.collection = f"{index.place}#{name}", name
        self._index, self._text, self._values = index, text, Values()
        vectors = self._asked("get_collection").config.params.vectors
        named: Mapping[str, Any] = vectors if isinstance(vectors, Mapping) else {"": vectors}
        if len(named) != 1 or None in named.values():
            raise BadRequest(
                f"{self.label} has {len(named)} vectors a point ({', '.join(named)}): only "
                "collections with one can be copied."
            )
        [(self._vector, self._params)] = named.items()

    def _asked(self, call: str, **given: Any) -> Any:
        asked = getattr(_client(self._index), call)
        return self._index.call(lambda: asked(self.collection, **given))

    def describe(self) -> Described:
        distance = getattr(self._params.distance, "value", self._params.distance)
        if distance not in _DISTANCES or self._params.multivector_config is not None:
            raise BadRequest(
                f"{self.label} is compared by {distance}: only collections of one vector a point, "
                f"compared by {', '.join(_DISTANCES)}, can be copied."
            )
        return Described(self._params.size, _DISTANCES[distance])

    def rows(self) -> int:
        return self._asked("count", exact=True).count

    def pages(self, after: Mark | None) -> Iterator[tuple[Mark, Rows]]:
        mark = after or {"next": None}
        size = min(1000, rows_of_a_page(self._params.size))
        while mark != _END:
            points, following = self._asked(
                "scroll",
                limit=size,
                offset=mark["next"],
                with_payload=True,
                with_vectors=[self._vector] if self._vector else True,
            )
            mark = _END if following is None else {"next": following}
            if points:
                yield mark, self._page(points)

    def _page(self, points: list[Any]) -> Rows:
        vectors = [self._one(point.vector) for point in points]
        attributes = [self._attributes(point.payload or {}) for point in points]
        return Rows([str(point.id) for point in points], np.array(vectors, np.float32), attributes)

    def _one(self, vector: Any) -> Any:
        """Beside sparse vectors, which are left out, the one without a name is called ""."""
        return vector[self._vector] if isinstance(vector, Mapping) else vector

    def _attributes(self, payload: Mapping[str, Any]) -> dict[str, Value]:
        text, metadata = payload.get("page_content"), payload.get("metadata")
        if not isinstance(text, str):
            return self._values.of(payload)
        others = {key: payload[key] for key in payload if key != "page_content"}
        found: dict[str, Value] = {}
        if isinstance(metadata, Mapping):
            del others["metadata"]
            found = self._values.of(cast("Mapping[str, Any]", metadata))
        merge(found, self._values.of(others))
        return with_text(found, text, self._text)

    def notes(self) -> list[str]:
        return self._values.notes


_END = {"end": True}
