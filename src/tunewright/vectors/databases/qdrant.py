"""Qdrant: a server, ``qdrant+http://HOST:6333`` and ``qdrant+https://HOST``, whose key
QDRANT_API_KEY has; or ``qdrant:DIRECTORY``, the client's own mode without a server: Python that
compares every row, for some thousands of them, and one process at a time.

A point has a UUID made of the row's id, and in its payload the id, each attribute in a field of its
own and all of them in `attributes` (`slots`). The name of its vector is the metric. Where that is
cosine, the vector has been made one of length 1 and is compared by the dot product, for Qdrant's
cosine forgets what was given; that is in `vector`, unless it is the same.

What Qdrant does not evaluate: the order of texts. What a server finds among many rows is
approximate (HNSW).
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np

from tunewright.errors import BadRequest, NotFound, TunewrightError
from tunewright.vectors.databases import slots
from tunewright.vectors.databases.connected import Connected
from tunewright.vectors.databases.database import Collection, Database, Found, Limits, Page
from tunewright.vectors.databases.place import Place, place_of
from tunewright.vectors.databases.units import given, units
from tunewright.vectors.filters import EVERY, And, Comparison, Filter, Kind, Value
from tunewright.vectors.index import Floats, Metric

_DISTANCES = {"cosine": "Dot", "dot": "Dot", "euclidean": "Euclid"}
_ID, _ATTRIBUTES, _VECTOR = "id", "attributes", "vector"
_PAGE = 1000
_RANGES = {"gt": "gt", "gte": "gte", "lt": "lt", "lte": "lte"}


def open_index(url: str) -> Connected:
    place = place_of(url)
    return Connected(place, Qdrant(place))


class Qdrant(Database):
    limits = Limits(queries=100)
    _made: Any = None

    def __init__(self, place: Place) -> None:
        self._place, self._library = place, cast("Any", import_module("qdrant_client"))
        self._models = self._library.models
        if place.local:
            self.limits = replace(self.limits, seconds=None)
        self._making = threading.Lock()

    @property
    def client(self) -> Any:
        with self._making:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _make(self) -> Any:
        if self._place.local:
            directory = str(Path(self._place.path).expanduser().resolve())
            return _Shared.of(directory, self._library.QdrantClient)
        return self._library.QdrantClient(
            url=self._place.http,
            port=self._place.port or (443 if self._place.transport == "https" else 6333),
            api_key=self._place.secret("QDRANT_API_KEY") or None,
            timeout=int(self.limits.seconds or 0) or None,
            check_compatibility=False,
        )

    def collection(self, name: str) -> Collection | None:
        if not self.client.collection_exists(name):
            return None
        vectors = self.client.get_collection(name).config.params.vectors
        named = [metric for metric in _DISTANCES if isinstance(vectors, dict) and metric in vectors]
        if not named:
            raise BadRequest(
                f"The collection '{name}' of Qdrant was made by another program. Copy it to one "
                "of ours (tunewright vectors copy), or give ours another name."
            )
        return Collection(name, vectors[named[0]].size, cast("Metric", named[0]))

    def names(self) -> Iterator[str]:
        for found in self.client.get_collections().collections:
            vectors = self.client.get_collection(found.name).config.params.vectors
            if isinstance(vectors, dict) and _DISTANCES.keys() & vectors.keys():
                yield found.name

    def create(self, name: str, dimensions: int, metric: Metric) -> None:
        kept = self._models.VectorParams(
            size=dimensions, distance=self._models.Distance(_DISTANCES[metric])
        )
        try:
            self.client.create_collection(name, vectors_config={metric: kept})
        except Exception:
            if self.collection(name) is None:  # else another process has just made it
                raise

    def drop(self, collection: Collection) -> None:
        self.client.delete_collection(collection.name)

    def put(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> None:
        kept, originals = units(vectors, collection.metric)
        payloads = [
            {**slots.fields(each), _ID: id, _ATTRIBUTES: slots.packed(each)}
            | ({} if original is None else {_VECTOR: original})
            for id, each, original in zip(ids, attributes, originals, strict=True)
        ]
        points = self._models.Batch(
            ids=[slots.uuid_of(id) for id in ids],
            vectors={collection.metric: kept.tolist()},
            payloads=payloads,
        )
        self.client.upsert(collection.name, points, wait=True)

    def remove(self, collection: Collection, ids: Sequence[str]) -> None:
        chosen = self._models.PointIdsList(points=[slots.uuid_of(id) for id in ids])
        self.client.delete(collection.name, chosen, wait=True)

    def remove_where(self, collection: Collection, where: Filter) -> bool:
        chosen = self._models.FilterSelector(filter=self._said(where) or self._models.Filter())
        self.client.delete(collection.name, chosen, wait=True)
        return True

    def fetch(self, collection: Collection, ids: Sequence[str]) -> Page:
        asked = [slots.uuid_of(id) for id in ids]
        found = self.client.retrieve(
            collection.name, asked, with_payload=True, with_vectors=[collection.metric]
        )
        return _page(found, collection, vectors=True, attributes=True)

    def search(
        self, collection: Collection, queries: Floats, n: int, where: Filter, attributes: bool
    ) -> list[Found]:
        asked = [
            self._models.QueryRequest(
                query=query,
                using=collection.metric,
                filter=self._said(where),
                limit=n,
                with_payload=[_ID, _ATTRIBUTES] if attributes else [_ID],
            )
            for query in units(queries, collection.metric)[0].tolist()
        ]
        found = self.client.query_batch_points(collection.name, asked)
        return [_found(each.points, collection.metric, attributes) for each in found]

    def count(self, collection: Collection, where: Filter) -> int:
        return self.client.count(collection.name, self._said(where), exact=True).count

    def pages(
        self, collection: Collection, where: Filter, *, vectors: bool, attributes: bool
    ) -> Iterator[Page]:
        after, first = None, True
        fields = [_ID] + [_ATTRIBUTES] * attributes + [_VECTOR] * vectors
        while first or after is not None:
            points, after = self.client.scroll(
                collection.name,
                self._said(where),
                limit=_PAGE,
                offset=after,
                with_payload=fields,
                with_vectors=[collection.metric] if vectors else False,
            )
            first = False
            yield _page(points, collection, vectors=vectors, attributes=attributes)

    def expresses(self, comparison: Comparison) -> bool:
        return comparison.op not in _RANGES or comparison.kinds == ("number",)

    def _said(self, where: Filter) -> Any:
        """In Qdrant's form; None of every row."""
        return None if where == EVERY else self._models.Filter(must=[self._part(where)])

    def _part(self, where: Filter) -> Any:
        if isinstance(where, Comparison):
            return self._comparison(where)
        parts = [self._part(part) for part in where.parts]
        if isinstance(where, And):
            return self._models.Filter(must=parts)
        return self._models.Filter(should=parts)

    def _comparison(self, where: Comparison) -> Any:
        """`must_not` matches a row without the field, too."""
        if where.op in _RANGES:
            limits = self._models.Range(**{where.op: where.values[0]})
            return self._models.FieldCondition(key=slots.field(where.key, "number"), range=limits)
        equal = [
            self._equal(slots.field(where.key, cast("Kind", kind)), value)
            for kind, value in zip(where.kinds, where.values, strict=True)
        ]
        if where.op in ("eq", "in"):
            return self._models.Filter(should=equal)
        return self._models.Filter(must_not=equal)

    def _equal(self, key: str, value: Value) -> Any:
        if isinstance(value, (str, bool)):
            match = self._models.MatchValue(value=value)
            return self._models.FieldCondition(key=key, match=match)
        return self._models.FieldCondition(key=key, range=self._models.Range(gte=value, lte=value))

    def error_of(self, error: Exception) -> TunewrightError | None:
        unknown = isinstance(error, ValueError) and str(error).endswith("not found")
        if unknown or getattr(error, "status_code", None) == 404:
            return NotFound("The collection is not there any more.")
        return None

    def close(self) -> None:
        if self._made is not None:
            self._made.close()


@dataclass
class _Shared:
    """One client of a directory, for all of this process: a second one would be refused. Its calls
    are made one at a time, for it does not expect threads."""

    client: Any
    directory: str
    users: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def of(cls, directory: str, make: Callable[..., Any]) -> "_Shared":
        with _OPENING:
            if directory not in _OPEN:
                client = make(path=directory, force_disable_check_same_thread=True)
                _OPEN[directory] = cls(client, directory)
            _OPEN[directory].users += 1
            return _OPEN[directory]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self.client, name)

        def alone(*given: Any, **named: Any) -> Any:
            with self.lock:
                return call(*given, **named)

        return alone

    def close(self) -> None:
        with _OPENING:
            self.users -= 1
            if not self.users:
                del _OPEN[self.directory]
                self.client.close()


_OPEN: dict[str, _Shared] = {}
_OPENING = threading.Lock()


def _found(points: Sequence[Any], metric: Metric, attributes: bool) -> Found:
    score = np.array([point.score for point in points], np.float64)
    distances = {"cosine": 1 - score, "dot": -score, "euclidean": score}[metric]
    said = [slots.unpacked(point.payload[_ATTRIBUTES]) for point in points] if attributes else None
    return Found([point.payload[_ID] for point in points], distances, said)


def _page(
    points: Sequence[Any], collection: Collection, *, vectors: bool, attributes: bool
) -> Page:
    rows = None
    if vectors:
        kept = [point.vector[collection.metric] for point in points]
        rows = np.array(kept, np.float32).reshape(-1, collection.dimensions)
        rows = given(rows, [point.payload.get(_VECTOR) for point in points])
    said = [slots.unpacked(point.payload[_ATTRIBUTES]) for point in points] if attributes else None
    return Page([point.payload[_ID] for point in points], rows, said)
