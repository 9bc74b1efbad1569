"""How rows lie in Qdrant's points, and how filters are said to it: the same for a server, for the
client's own mode (`qdrant`) and for the engine in this process (`qdrant_edge`).

A point has a UUID made of the row's id, and in its payload the id, each attribute in a field of its
own and all of them in `attributes` (`slots`). The name of its vector is the metric. Where that is
cosine, the vector has been made one of length 1 and is compared by the dot product, for Qdrant's
cosine forgets what was given; that is in `vector`, unless it is the same.

What Qdrant does not evaluate: the order of texts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from tunewright.vectors.databases import slots
from tunewright.vectors.databases.database import Collection, Found, Page
from tunewright.vectors.databases.units import given, units
from tunewright.vectors.filters import EVERY, And, Comparison, Filter, Kind, Value
from tunewright.vectors.index import Floats, Metric

DISTANCES = {"cosine": "Dot", "dot": "Dot", "euclidean": "Euclid"}
ID, ATTRIBUTES, VECTOR = "id", "attributes", "vector"
_RANGES = ("gt", "gte", "lt", "lte")


def expresses(comparison: Comparison) -> bool:
    return comparison.op not in _RANGES or comparison.kinds == ("number",)


def laid(
    metric: Metric, ids: Sequence[str], vectors: Floats, attributes: Sequence[Mapping[str, Any]]
) -> tuple[list[str], list[list[float]], list[dict[str, Any]]]:
    """Of each row the point's UUID, what is compared, and the payload."""
    kept, originals = units(vectors, metric)
    payloads = [
        {**slots.fields(each), ID: id, ATTRIBUTES: slots.packed(each)}
        | ({} if original is None else {VECTOR: original})
        for id, each, original in zip(ids, attributes, originals, strict=True)
    ]
    return [slots.uuid_of(id) for id in ids], kept.tolist(), payloads


class Conditions:
    """Filters, made of what the client calls Filter, FieldCondition, MatchValue and Range."""

    def __init__(self, client: Any, ranges: Any) -> None:
        self._client, self._range = client, ranges

    def of(self, where: Filter) -> Any:
        """None of every row."""
        return None if where == EVERY else self._client.Filter(must=[self._part(where)])

    def _part(self, where: Filter) -> Any:
        if isinstance(where, Comparison):
            return self._comparison(where)
        parts = [self._part(part) for part in where.parts]
        if isinstance(where, And):
            return self._client.Filter(must=parts)
        return self._client.Filter(should=parts)

    def _comparison(self, where: Comparison) -> Any:
        """`must_not` matches a row without the field, too."""
        if where.op in _RANGES:
            limits = self._range(**{where.op: where.values[0]})
            return self._client.FieldCondition(key=slots.field(where.key, "number"), range=limits)
        equal = [
            self._equal(slots.field(where.key, cast("Kind", kind)), value)
            for kind, value in zip(where.kinds, where.values, strict=True)
        ]
        if where.op in ("eq", "in"):
            return self._client.Filter(should=equal)
        return self._client.Filter(must_not=equal)

    def _equal(self, key: str, value: Value) -> Any:
        if isinstance(value, (str, bool)):
            return self._client.FieldCondition(key=key, match=self._client.MatchValue(value=value))
        return self._client.FieldCondition(key=key, range=self._range(gte=value, lte=value))


def found(points: Sequence[Any], metric: Metric, attributes: bool) -> Found:
    score = np.array([point.score for point in points], np.float64)
    distances = {"cosine": 1 - score, "dot": -score, "euclidean": score}[metric]
    said = [slots.unpacked(point.payload[ATTRIBUTES]) for point in points] if attributes else None
    return Found([point.payload[ID] for point in points], distances, said)


def page(points: Sequence[Any], collection: Collection, *, vectors: bool, attributes: bool) -> Page:
    rows = None
    if vectors:
        kept = [point.vector[collection.metric] for point in points]
        rows = np.array(kept, np.float32).reshape(-1, collection.dimensions)
        rows = given(rows, [point.payload.get(VECTOR) for point in points])
    said = [slots.unpacked(point.payload[ATTRIBUTES]) for point in points] if attributes else None
    return Page([point.payload[ID] for point in points], rows, said)
