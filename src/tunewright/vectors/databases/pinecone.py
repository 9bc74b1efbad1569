"""Pinecone, by its vectors API (`pinecone` 10 or newer).

An index of Pinecone has vectors of one length and one metric, so ``pinecone://DOCS`` is a family of
indexes: ``docs-cosine-384`` is made with the first collection of that kind. A collection is a
namespace of its index; which there are is kept in a namespace of its own, `_REGISTRY`.

The key is PINECONE_API_KEY. New indexes are made where PINECONE_CLOUD and PINECONE_REGION say (aws,
us-east-1).
"""

import base64
import hashlib
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import pinecone  # pyright: ignore[reportMissingImports]

from tunewright.errors import BadRequest
from tunewright.vectors.databases import slots
from tunewright.vectors.databases.calling import deadline
from tunewright.vectors.databases.connected import Connected
from tunewright.vectors.databases.database import Collection, Database, Found, Limits, Page
from tunewright.vectors.databases.place import Place, place_of
from tunewright.vectors.filters import EVERY, And, Comparison, Filter, Kind
from tunewright.vectors.index import Floats, Metric

_REGISTRY = "tunewright-collections"
_METRICS: dict[Metric, str] = {"cosine": "cosine", "dot": "dotproduct", "euclidean": "euclidean"}
_METADATA = 40_960  # bytes of one record, by Pinecone's limits
_ANSWER = 3_500_000  # bytes: an answer to a query has 4 MB at most
_ADDRESS = 6000  # letters of ids in the address of a fetch
_PLAIN = re.compile(r"[ -}]{1,512}")  # what Pinecone takes for an id, without ~


class Pinecone(Database):
    # A write has 1,000 records and 2 MB; a query 10,000 hits; a fetch and a deletion 1,000 ids.
    limits = Limits(rows=1000, size=1_900_000, ids=1000, short_is_all=True, dimensions=20_000)

    def __init__(self, place: Place) -> None:
        self._place = place
        self._family = (place.path if place.transport else place.host).lower()
        self._indexes: dict[str, Any] = {}  # by host
        self._of: dict[str, tuple[str, Any]] = {}  # what was found last: name -> index, its client
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?", self._family):
            raise BadRequest(
                f"'{self._family}' of {place} cannot begin the name of an index of Pinecone: "
                "letters, digits and - only, at most 30."
            )

    @cached_property
    def _client(self) -> Any:
        return pinecone.Pinecone(
            api_key=self._place.needed("PINECONE_API_KEY"),
            host=self._place.http if self._place.transport else None,
            timeout=deadline(self.limits),
            retry_config=pinecone.RetryConfig(max_retries=1),
        )

    def _index(self, model: Any) -> Any:
        """The client of one index. An emulator names a host without a scheme, for which the client
        would speak HTTPS."""
        host = model.host.rpartition("://")[2]
        if host not in self._indexes:  # making one costs as much as many calls
            url = f"{self._place.transport or 'https'}://{host}"
            self._indexes[host] = self._client.index(host=url)
        return self._indexes[host]

    def collection(self, name: str) -> Collection | None:
        if name in self._of and (found := self._registered(name, self._of[name][1])):
            return found
        self._of.pop(name, None)
        for called, index in self._family_of():
            if found := self._registered(name, index):
                self._of[name] = called, index
                return found
        return None

    def _family_of(self) -> Iterator[tuple[str, Any]]:
        for model in self._client.indexes.list():
            if re.fullmatch(rf"{self._family}-(cosine|dot|euclidean)-\d+", model.name):
                yield model.name, self._index(model)

    def names(self) -> Iterator[str]:
        for _, index in self._family_of():
            token = None
            while True:
                listed = index.list_paginated(
                    namespace=_REGISTRY, limit=100, pagination_token=token
                )
                yield from (one.id for one in listed.vectors)
                token = listed.pagination.next if listed.pagination else None
                if not token:
                    break

    def _registered(self, name: str, index: Any) -> Collection | None:
        try:
            found = index.fetch(ids=[name], namespace=_REGISTRY).vectors.get(name)
        except pinecone.NotFoundError:
            return None
        if found is None:
            return None
        has = found.metadata
        return Collection(name, int(has["dimensions"]), cast("Metric", has["metric"]), index)

    def create(self, name: str, dimensions: int, metric: Metric) -> None:
        index = self._index(self._made(f"{self._family}-{metric}-{dimensions}", dimensions, metric))
        _emptied(index, name)  # what a drop that was cut short has left
        written = index.upsert(
            vectors=[
                {
                    "id": name,
                    "values": [1.0] + [0.0] * (dimensions - 1),
                    "metadata": {"dimensions": dimensions, "metric": metric},
                }
            ],
            namespace=_REGISTRY,
        )
        _until_seen(index, _REGISTRY, dimensions, written)

    def _made(self, name: str, dimensions: int, metric: Metric) -> Any:
        """The index, as Pinecone describes it."""
        try:
            return self._client.indexes.describe(name)
        except pinecone.NotFoundError:
            pass
        where = {
            "deployment_type": "managed",
            "cloud": os.environ.get("PINECONE_CLOUD", "aws"),
            "region": os.environ.get("PINECONE_REGION", "us-east-1"),
        }
        field = {"type": "dense_vector", "dimension": dimensions, "metric": _METRICS[metric]}
        try:
            # This field alone, under this name: an index of the vectors API.
            return self._client.indexes.create(
                name=name, schema={"fields": {"_values": field}}, deployment=where, timeout=25
            )
        except pinecone.ConflictError:  # somebody else has just made it
            return self._client.indexes.describe(name)

    def drop(self, collection: Collection) -> None:
        self._of.pop(collection.name, None)
        _deleted(collection.own, [collection.name], _REGISTRY)
        _emptied(collection.own, collection.name)

    def refusal(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> str | None:
        for id, one in zip(ids, attributes, strict=True):
            if len(slots.packed(_metadata(id, one)).encode()) > _METADATA:
                return (
                    f"The attributes of '{id}' are too large for Pinecone: {_METADATA} bytes, in "
                    "which each is kept twice. Leave out the longest, or keep it elsewhere."
                )
        return None

    def put(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> None:
        records = [
            {"id": _key(id), "values": vector, "metadata": _metadata(id, one)}
            for id, vector, one in zip(ids, vectors.tolist(), attributes, strict=True)
        ]
        written = collection.own.upsert(vectors=records, namespace=collection.name)
        _until_seen(collection.own, collection.name, collection.dimensions, written)

    def remove(self, collection: Collection, ids: Sequence[str]) -> None:
        _deleted(collection.own, [_key(id) for id in ids], collection.name)

    def remove_where(self, collection: Collection, where: Filter) -> bool:
        if where == EVERY:
            _emptied(collection.own, collection.name)
            return True
        filter = compiled(where)
        try:
            collection.own.delete(filter=filter, namespace=collection.name)
        except pinecone.NotFoundError:  # no such namespace: nothing was ever written
            return True
        for _ in _attempts():
            left = collection.own.fetch_by_metadata(
                filter=filter, namespace=collection.name, limit=1
            )
            if not left.vectors:
                break
        return True

    def fetch(self, collection: Collection, ids: Sequence[str]) -> Page:
        return _page(self._fetched(collection, [_key(id) for id in ids]).values(), collection)

    def _fetched(self, collection: Collection, keys: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for some in _short(keys):
            found |= collection.own.fetch(ids=some, namespace=collection.name).vectors
        return found

    def most(self, collection: Collection, attributes: bool) -> int:
        if collection.metric == "euclidean":
            return min(1000, _ANSWER // (24 * collection.dimensions + 4000 * attributes))
        return 800 if attributes else self.limits.nearest

    def search(
        self, collection: Collection, queries: Floats, n: int, where: Filter, attributes: bool
    ) -> list[Found]:
        return [self._search(collection, query, n, where, attributes) for query in queries.tolist()]

    def _search(
        self, collection: Collection, query: list[float], n: int, where: Filter, attributes: bool
    ) -> Found:
        # Pinecone's Euclidean score has been the square of the distance; it is computed here.
        measured = collection.metric == "euclidean"
        matches = collection.own.query(
            top_k=n,
            vector=query,
            namespace=collection.name,
            filter=None if where == EVERY else compiled(where),
            include_metadata=attributes,
            include_values=measured,
        ).matches
        scores = np.array([match.score for match in matches], np.float64)
        return Found(
            self._ids(collection, matches, attributes),
            -scores if collection.metric == "dot" else 1 - scores,
            [slots.unpacked(match.metadata["json"]) for match in matches] if attributes else None,
            _vectors(matches, collection) if measured else None,
        )

    def _ids(self, collection: Collection, matches: Any, attributes: bool) -> list[str]:
        """Of hits: an id that is too long for Pinecone is in the metadata."""
        hashed = [match.id for match in matches if match.id.startswith("~~")]
        if attributes or not hashed:
            return [_id(match) for match in matches]
        fetched = self._fetched(collection, hashed)
        return [_id(fetched.get(match.id, match)) for match in matches]

    def count(self, collection: Collection, where: Filter) -> int:
        if where != EVERY:
            pages = self.pages(collection, where, vectors=False, attributes=False)
            return sum(len(page.ids) for page in pages)
        there = collection.own.describe_index_stats().namespaces.get(collection.name)
        return there.vector_count if there else 0

    def pages(
        self, collection: Collection, where: Filter, *, vectors: bool, attributes: bool
    ) -> Iterator[Page]:
        token = None
        while True:
            if where == EVERY:
                listed = collection.own.list_paginated(
                    namespace=collection.name, limit=100, pagination_token=token
                )
                keys = [one.id for one in listed.vectors]
                whole = vectors or attributes or any(key.startswith("~~") for key in keys)
                records = self._fetched(collection, keys).values() if whole else listed.vectors
            else:
                listed = collection.own.fetch_by_metadata(
                    filter=compiled(where),
                    namespace=collection.name,
                    limit=100,
                    pagination_token=token,
                )
                records, whole = listed.vectors.values(), True
            if whole:
                yield _page(records, collection)
            else:
                yield Page([_id(one) for one in records])
            token = listed.pagination.next if listed.pagination else None
            if not token:
                break

    def expresses(self, comparison: Comparison) -> bool:
        # Texts have no order in Pinecone.
        return comparison.op in ("eq", "ne", "in", "nin") or comparison.kinds == ("number",)

    def close(self) -> None:
        if "_client" in vars(self):
            self._client.close()


def compiled(tree: Filter) -> dict[str, Any]:
    """Pinecone's own filter. `expresses` holds for each comparison."""
    if not isinstance(tree, Comparison):
        return {"$and" if isinstance(tree, And) else "$or": [compiled(part) for part in tree.parts]}
    if tree.op not in ("ne", "nin", "in"):
        assert tree.kinds[0]
        return {slots.field(tree.key, tree.kinds[0]): {f"${tree.op}": tree.values[0]}}
    negative = tree.op in ("ne", "nin")
    kinds = cast("list[Kind]", list(dict.fromkeys(tree.kinds)))
    parts = [_membership(tree, kind, negative) for kind in kinds]
    return parts[0] if len(parts) == 1 else {"$and" if negative else "$or": parts}


def _membership(tree: Comparison, kind: Kind, negative: bool) -> dict[str, Any]:
    """Of the values of one type. What is published does not say whether $nin matches a record
    without the field, so that is asked by itself."""
    values = [value for value, of in zip(tree.values, tree.kinds, strict=True) if of == kind]
    field = slots.field(tree.key, kind)
    if kind == "boolean":  # lists of booleans are not among what $in takes
        op = "$ne" if negative else "$eq"
        parts: list[dict[str, Any]] = [{field: {op: value}} for value in values]
        inner = parts[0] if len(parts) == 1 else {"$and" if negative else "$or": parts}
    else:
        inner = {field: {"$nin" if negative else "$in": values}}
    return {"$or": [inner, {field: {"$exists": False}}]} if negative else inner


def _metadata(id: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    own = {"json": slots.packed(attributes)} | ({"id": id} if _key(id).startswith("~~") else {})
    return slots.fields(attributes) | own


def _key(id: str) -> str:
    """As Pinecone takes it: printable ASCII, at most 512 letters."""
    if _PLAIN.fullmatch(id):
        return id
    key = "~" + base64.urlsafe_b64encode(id.encode()).decode()
    return key if len(key) <= 512 else "~~" + hashlib.sha256(id.encode()).hexdigest()


def _id(record: Any) -> str:
    key: str = record.id
    if key.startswith("~~"):
        return record.metadata["id"]
    return base64.urlsafe_b64decode(key[1:]).decode() if key.startswith("~") else key


def _page(records: Any, collection: Collection) -> Page:
    rows = list(records)
    return Page(
        [_id(row) for row in rows],
        _vectors(rows, collection),
        [slots.unpacked(row.metadata["json"]) for row in rows],
    )


def _vectors(rows: Sequence[Any], collection: Collection) -> Floats:
    return np.array([row.values for row in rows], np.float32).reshape(-1, collection.dimensions)


def _short(keys: Sequence[str]) -> Iterator[list[str]]:
    """Of which each fits into an address."""
    some: list[str] = []
    size = 0
    for key in keys:
        if some and size + len(key) > _ADDRESS:
            yield some
            some, size = [], 0
        some.append(key)
        size += len(key) + 5
    if some:
        yield some


def _emptied(index: Any, namespace: str) -> None:
    try:
        index.delete_namespace(name=namespace)
    except pinecone.NotFoundError:
        return


def _deleted(index: Any, keys: list[str], namespace: str) -> None:
    """What the client gives of a deletion has no sequence number: it is looked for."""
    try:
        index.delete(ids=keys, namespace=namespace)
    except pinecone.NotFoundError:  # no such namespace: nothing was ever written
        return
    for _ in _attempts():
        if not index.fetch(ids=keys[:10], namespace=namespace).vectors:
            break


def _until_seen(index: Any, namespace: str, dimensions: int, written: Any) -> None:
    """Pinecone shows a write some time after it has taken it. Its log sequence number tells when;
    an emulator has none and shows it at once."""
    wanted = written.response_info.lsn_committed if written.response_info else None
    if wanted is None:
        return
    probe = [1.0] + [0.0] * (dimensions - 1)
    for _ in _attempts():
        answer = index.query(top_k=1, vector=probe, namespace=namespace)
        shown = answer.response_info.lsn_reconciled if answer.response_info else None
        if shown is None or shown >= wanted:
            break


def _attempts() -> Iterator[None]:
    """As often as it is sensible to look: `calling` ends it at the deadline."""
    wait = 0.05
    while True:
        yield
        time.sleep(wait)
        wait = min(2 * wait, 2.0)


def open_index(url: str) -> Connected:
    place = place_of(url)
    return Connected(place, Pinecone(place))
