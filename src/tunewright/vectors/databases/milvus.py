"""Milvus: ``milvus:FILE.db`` (Milvus Lite, in this process; one process at a time), a server,
``milvus+http://HOST:19530`` and ``milvus+https://``, or Zilliz Cloud, ``zilliz://HOST``. The token
(``USER:PASSWORD`` of a server) is in MILVUS_TOKEN or ZILLIZ_TOKEN.

A row's primary key is made of its id's bytes (`slots.token`), for a filter is a text to Milvus, and
so is each text in `fields`, a JSON object with the attributes to be filtered by. So nothing that a
user has written stands in an expression but as hexadecimal digits. The vector's field is called as
the metric is.

What Milvus does not evaluate: the order of texts. A filter of Milvus Lite takes no `in` of JSON: it
is an `or` of comparisons.
"""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np

from tunewright.errors import BadRequest, NotFound, TunewrightError
from tunewright.vectors.databases import slots
from tunewright.vectors.databases.connected import Connected
from tunewright.vectors.databases.database import Collection, Database, Found, Limits, Page
from tunewright.vectors.databases.making import Made
from tunewright.vectors.databases.place import Place, place_of
from tunewright.vectors.databases.units import units
from tunewright.vectors.filters import EVERY, And, Comparison, Filter, Kind, Value
from tunewright.vectors.index import Floats, Metric

_METRICS = {"cosine": "COSINE", "dot": "IP", "euclidean": "L2"}
_NAMES = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_KEY, _ID, _FIELDS, _ATTRIBUTES = "pk", "id", "fields", "attributes"
_NAME = "tunewright.name"  # of a collection, where Milvus' own does not tell it
_TEXT = 65_535  # bytes of a text, at most
_PAGE = 1000
_SHORTEST, _LONGEST = 1e-15, 1e15  # whose squares float32 has
_NO_COLLECTION = 100  # Milvus' code
_OPERATORS = {"eq": "==", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def open_index(url: str) -> Connected:
    place = place_of(url)
    return Connected(place, Milvus(place))


class Milvus(Database):
    limits = Limits(queries=100)

    def __init__(self, place: Place) -> None:
        self._place, self._library = place, cast("Any", import_module("pymilvus"))
        self._made = Made(self._opened, lambda client: client.close(), alone=place.local)
        self._loaded: set[str] = set()
        self._opening = threading.Lock()

    @property
    def _client(self) -> Any:
        return self._made()

    def _opened(self) -> Any:
        if self._place.local:
            file = Path(self._place.path).expanduser().resolve()
            file.parent.mkdir(parents=True, exist_ok=True)
            return self._library.MilvusClient(str(file if file.suffix == ".db" else f"{file}.db"))
        place = self._place if self._place.transport else replace(self._place, transport="https")
        secret = self._place.needed if self._place.name == "zilliz" else self._place.secret
        token = secret("ZILLIZ_TOKEN" if self._place.name == "zilliz" else "MILVUS_TOKEN")
        return self._library.MilvusClient(uri=place.http, token=token, timeout=self.limits.seconds)

    def collection(self, name: str) -> Collection | None:
        own = _named(name)
        with self._opening:
            if not self._client.has_collection(own):
                self._loaded.discard(own)
                return None
            if own not in self._loaded:
                self._client.load_collection(own)
                self._loaded.add(own)
        fields = self._client.describe_collection(own)["fields"]
        for field in fields:
            if field["name"] in _METRICS and "dim" in field["params"]:
                metric = cast("Metric", field["name"])
                return Collection(name, int(field["params"]["dim"]), metric, own)
        raise BadRequest(
            f"The collection '{name}' of Milvus was made by another program. Give ours another "
            "name."
        )

    def names(self) -> Iterator[str]:
        for own in self._client.list_collections():
            said = self._client.describe_collection(own)
            if any(field["name"] in _METRICS for field in said["fields"]):
                yield said.get("properties", {}).get(_NAME) or _name_of(own) or own

    def create(self, name: str, dimensions: int, metric: Metric) -> None:
        kinds = self._library.DataType
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field(_KEY, kinds.VARCHAR, is_primary=True, max_length=128)
        schema.add_field(metric, kinds.FLOAT_VECTOR, dim=dimensions)
        schema.add_field(_ID, kinds.VARCHAR, max_length=_TEXT)
        schema.add_field(_FIELDS, kinds.JSON)
        schema.add_field(_ATTRIBUTES, kinds.VARCHAR, max_length=_TEXT)
        index = self._client.prepare_index_params()
        index.add_index(field_name=metric, index_type="AUTOINDEX", metric_type=_METRICS[metric])
        # Milvus Lite forgets descriptions.
        said = {} if _name_of(_named(name)) == name else {"properties": {_NAME: name}}
        try:
            self._client.create_collection(
                _named(name), schema=schema, index_params=index, consistency_level="Strong", **said
            )
        except Exception:
            if self.collection(name) is None:  # else another process has just made it
                raise

    def drop(self, collection: Collection) -> None:
        with self._opening:
            self._client.drop_collection(collection.own)
            self._loaded.discard(collection.own)

    def refusal(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> str | None:
        for id, one in zip(ids, attributes, strict=True):
            if max(len(slots.packed(one).encode()), len(slots.packed(_fields(one)))) > _TEXT:
                return (
                    f"The attributes of '{id}' are too large for Milvus: {_TEXT:,} bytes. Leave "
                    "out the longest, or keep it elsewhere."
                )
        return _too_long(ids, vectors, collection.metric)

    def put(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> None:
        rows = [
            {
                _KEY: slots.token(id),
                collection.metric: vector,
                _ID: id,
                _FIELDS: _fields(each),
                _ATTRIBUTES: slots.packed(each),
            }
            for id, vector, each in zip(ids, vectors, attributes, strict=True)
        ]
        self._client.upsert(collection.own, rows)

    def remove(self, collection: Collection, ids: Sequence[str]) -> None:
        self._client.delete(collection.own, ids=[slots.token(id) for id in ids])

    def remove_where(self, collection: Collection, where: Filter) -> bool:
        if where == EVERY:
            return False
        self._client.delete(collection.own, filter=_said(where))
        return True

    def fetch(self, collection: Collection, ids: Sequence[str]) -> Page:
        found = self._client.get(
            collection.own,
            ids=[slots.token(id) for id in ids],
            output_fields=[_ID, _ATTRIBUTES, collection.metric],
        )
        return _page(found, collection, vectors=True, attributes=True)

    def search(
        self, collection: Collection, queries: Floats, n: int, where: Filter, attributes: bool
    ) -> list[Found]:
        found = self._client.search(
            collection.own,
            data=list(units(queries, collection.metric)[0]),
            anns_field=collection.metric,
            limit=n,
            filter=_said(where),
            output_fields=[_ID] + [_ATTRIBUTES] * attributes,
            search_params={"metric_type": _METRICS[collection.metric]},
        )
        return [_found(hits, collection.metric, attributes) for hits in found]

    def count(self, collection: Collection, where: Filter) -> int:
        found = self._client.query(collection.own, filter=_said(where), output_fields=["count(*)"])
        return found[0]["count(*)"]

    def pages(
        self, collection: Collection, where: Filter, *, vectors: bool, attributes: bool
    ) -> Iterator[Page]:
        fields = [_ID] + [_ATTRIBUTES] * attributes + [collection.metric] * vectors
        rows = self._client.query_iterator(
            collection.own, batch_size=_PAGE, filter=_said(where), output_fields=fields
        )
        try:
            while found := rows.next():
                yield _page(found, collection, vectors=vectors, attributes=attributes)
        finally:
            rows.close()

    def expresses(self, comparison: Comparison) -> bool:
        return comparison.op in ("eq", "ne", "in", "nin") or comparison.kinds == ("number",)

    def error_of(self, error: Exception) -> TunewrightError | None:
        if getattr(error, "code", None) == _NO_COLLECTION:
            return NotFound("The collection is not there any more.")
        return None

    def close(self) -> None:
        self._made.close()


def _too_long(ids: Sequence[str], vectors: Floats, metric: Metric) -> str | None:
    """Milvus sums the squares of a vector in float32."""
    if metric != "cosine":
        return None
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    outside = np.flatnonzero((lengths < _SHORTEST) | (lengths > _LONGEST))
    if not len(outside):
        return None
    return (
        f"The vector of '{ids[outside[0]]}' has the length {lengths[outside[0]]:.3g}: by cosine "
        f"Milvus compares vectors of a length from {_SHORTEST:g} to {_LONGEST:g}. Scale it: "
        "its direction alone counts."
    )


def _named(name: str) -> str:
    """Milvus' names have letters, digits and _ only."""
    plain = _NAMES.fullmatch(name) and not name.startswith("x_")
    return name if plain else f"x_{slots.token(name)}"


def _name_of(own: str) -> str | None:
    """What `_named` was given; None where that is not to be seen."""
    return slots.untoken(own.removeprefix("x_")) if own.startswith("x_") else own


def _fields(attributes: Mapping[str, Any]) -> dict[str, Any]:
    found = slots.fields(attributes)
    return {
        key: slots.token(each) if isinstance(each, str) else each for key, each in found.items()
    }


def _said(where: Filter) -> str:
    """As an expression; the empty one is every row."""
    if where == EVERY:
        return ""
    if isinstance(where, Comparison):
        return _comparison(where)
    how = " and " if isinstance(where, And) else " or "
    return how.join(f"({_said(part)})" for part in where.parts)


def _comparison(where: Comparison) -> str:
    """A comparison with a field that is not there is false in Milvus, also `!=`."""
    told = [
        (f'{_FIELDS}["{slots.field(where.key, cast("Kind", kind))}"]', _value(value))
        for kind, value in zip(where.kinds, where.values, strict=True)
    ]
    if where.op in ("ne", "nin"):
        # Milvus 2.3 takes no `not exists ...` beside an `or` without its own parentheses.
        absent = [f"((not exists {field}) or ({field} != {value}))" for field, value in told]
        return " and ".join(absent)
    sign = _OPERATORS["eq" if where.op == "in" else where.op]
    return " or ".join(f"{field} {sign} {value}" for field, value in told)


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{slots.token(value)}"' if isinstance(value, str) else repr(float(value))


def _found(hits: Sequence[Any], metric: Metric, attributes: bool) -> Found:
    """Of `L2` Milvus' distance is the square."""
    own = np.array([hit["distance"] for hit in hits], np.float64)
    rows = [hit["entity"] for hit in hits]
    distances = {"cosine": 1 - own, "dot": -own, "euclidean": np.sqrt(np.maximum(own, 0))}[metric]
    said = [slots.unpacked(row[_ATTRIBUTES]) for row in rows] if attributes else None
    return Found([row[_ID] for row in rows], distances, said)


def _page(rows: Sequence[Any], collection: Collection, *, vectors: bool, attributes: bool) -> Page:
    kept = None
    if vectors:
        kept = np.array([row[collection.metric] for row in rows], np.float32)
        kept = kept.reshape(-1, collection.dimensions)
    said = [slots.unpacked(row[_ATTRIBUTES]) for row in rows] if attributes else None
    return Page([row[_ID] for row in rows], kept, said)
