"""Chroma: ``chroma:DIRECTORY`` in this process, or a server, ``chroma+http://HOST:PORT`` and
``chroma+https://HOST:PORT``, whose token CHROMA_TOKEN has, where it wants one.

A row has its id and, in its metadata, each attribute in a field of its own and all of them in
`attributes` (`slots`). Where the metric is cosine, the vector has been made one of length 1 and is
compared by Chroma's inner product; the one that was given is in `vector`, unless it is the same.

What Chroma does not evaluate: the order of texts. What it finds among many rows is approximate
(HNSW); of a filter that few rows match it finds fewer, which is noticed and completed. Whoever has
the directory open in another process may see old rows: one process has it, or a server.
"""

import re
import threading
import time
from collections import defaultdict
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
from tunewright.vectors.databases.units import given, units
from tunewright.vectors.filters import EVERY, And, Comparison, Filter, Value
from tunewright.vectors.index import Floats, Metric

_SPACES = {"cosine": "ip", "dot": "ip", "euclidean": "l2"}
_NAMES = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]+[a-zA-Z0-9]")
_ATTRIBUTES, _VECTOR = "attributes", "vector"
_PAGE = 1000
_FIRST_ROWS = 5.0  # seconds
_WRITING: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)  # by place


def open_index(url: str) -> Connected:
    place = place_of(url)
    return Connected(place, Chroma(place))


class Chroma(Database):
    limits = Limits(queries=100)

    def __init__(self, place: Place) -> None:
        self._place, self._library = place, cast("Any", import_module("chromadb"))
        if place.local:
            self.limits = replace(self.limits, seconds=None)
        self._shared = _where(place)
        self._made = Made(self._opened, lambda client: client.close(), alone=place.local)

    @property
    def client(self) -> Any:
        return self._made()

    def _opened(self) -> Any:
        settings = self._library.Settings(anonymized_telemetry=False)
        if self._place.local:
            return self._library.PersistentClient(self._shared, settings)
        secure = self._place.transport == "https"
        token = self._place.secret("CHROMA_TOKEN")
        return self._library.HttpClient(
            host=self._place.host,
            port=self._place.port or (443 if secure else 8000),
            ssl=secure,
            headers={"x-chroma-token": token} if token else None,
            settings=settings,
        )

    def collection(self, name: str) -> Collection | None:
        try:
            own = self.client.get_collection(_named(name), embedding_function=None)
        except Exception as error:
            if isinstance(self.error_of(error), NotFound):
                return None
            raise
        said = own.metadata or {}
        if "dimensions" not in said or said.get("metric") not in _SPACES:
            raise BadRequest(
                f"The collection '{name}' of Chroma was made by another program. Copy it to one "
                "of ours (tunewright vectors copy), or give ours another name."
            )
        return Collection(name, int(said["dimensions"]), cast("Metric", said["metric"]), own)

    def names(self) -> Iterator[str]:
        for own in self.client.list_collections():
            said = own.metadata or {}
            if "dimensions" in said and said.get("metric") in _SPACES:
                yield said.get("name") or _name_of(own.name) or own.name

    def create(self, name: str, dimensions: int, metric: Metric) -> None:
        self.client.get_or_create_collection(
            _named(name),
            metadata={"name": name, "dimensions": dimensions, "metric": metric},
            configuration={"hnsw": {"space": _SPACES[metric]}},
            embedding_function=None,
        )

    def drop(self, collection: Collection) -> None:
        self.client.delete_collection(_named(collection.name))

    def put(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> None:
        kept, originals = units(vectors, collection.metric)
        said = [
            {**slots.fields(each), _ATTRIBUTES: slots.packed(each), _VECTOR: original}
            for each, original in zip(attributes, originals, strict=True)
        ]
        with _WRITING[self._shared]:
            self._without_old(collection, ids, said)
            collection.own.upsert(ids=list(ids), embeddings=kept, metadatas=said)

    def _without_old(
        self, collection: Collection, ids: Sequence[str], said: list[dict[str, Any]]
    ) -> None:
        """Chroma keeps the fields of a row that an upsert does not name: None takes them away."""
        old = collection.own.get(ids=list(ids), include=["metadatas"])
        new = dict(zip(ids, said, strict=True))
        for id, fields in zip(old["ids"], old["metadatas"], strict=True):
            new[id].update(dict.fromkeys((fields or {}).keys() - new[id].keys()))

    def remove(self, collection: Collection, ids: Sequence[str]) -> None:
        collection.own.delete(ids=list(ids))

    def remove_where(self, collection: Collection, where: Filter) -> bool:
        if where == EVERY:
            return False
        collection.own.delete(where=_said(where))
        return True

    def fetch(self, collection: Collection, ids: Sequence[str]) -> Page:
        found = collection.own.get(ids=list(ids), include=["embeddings", "metadatas"])
        return _page(found, collection)

    def search(
        self, collection: Collection, queries: Floats, n: int, where: Filter, attributes: bool
    ) -> list[Found]:
        found = self._found(
            collection,
            query_embeddings=units(queries, collection.metric)[0],
            n_results=n,
            where=_said(where),
            include=["distances", "metadatas"] if attributes else ["distances"],
        )
        said: list[Any] = found["metadatas"] if attributes else [None] * len(queries)
        return [
            Found(ids, _distances(near, collection.metric), fields and [_plain(f) for f in fields])
            for ids, near, fields in zip(found["ids"], found["distances"], said, strict=True)
        ]

    def _found(self, collection: Collection, **asked: Any) -> Any:
        """A search fails in Chroma while the first rows of its collection are just being written
        (1.5.9: "Nothing found on disk")."""
        until = time.monotonic() + _FIRST_ROWS
        while True:
            try:
                return collection.own.query(**asked)
            except Exception as error:
                if "Nothing found on disk" not in str(error) or time.monotonic() > until:
                    raise
            time.sleep(0.05)

    def count(self, collection: Collection, where: Filter) -> int:
        return collection.own.count() if where == EVERY else len(self._ids(collection, where))

    def _ids(self, collection: Collection, where: Filter) -> list[str]:
        return collection.own.get(where=_said(where), include=[])["ids"]

    def pages(
        self, collection: Collection, where: Filter, *, vectors: bool, attributes: bool
    ) -> Iterator[Page]:
        ids = self._ids(collection, where)
        for start in range(0, len(ids), _PAGE):
            some = ids[start : start + _PAGE]
            yield self.fetch(collection, some) if vectors or attributes else Page(some)

    def expresses(self, comparison: Comparison) -> bool:
        return comparison.op in ("eq", "ne", "in", "nin") or comparison.kinds == ("number",)

    def error_of(self, error: Exception) -> TunewrightError | None:
        if type(error).__name__ == "NotFoundError":
            return NotFound("The collection is not there any more.")
        return None

    def close(self) -> None:
        self._made.close()


def _where(place: Place) -> str:
    return str(Path(place.path).expanduser().resolve()) if place.local else place.http


def _named(name: str) -> str:
    """Chroma's names begin and end with a letter or digit, and have three signs at least."""
    plain = _NAMES.fullmatch(name) and not name.startswith("x-")
    return name if plain else f"x-{slots.token(name)}"


def _name_of(own: str) -> str | None:
    """What `_named` was given; None where that is not to be seen."""
    return slots.untoken(own.removeprefix("x-")) if own.startswith("x-") else own


def _said(where: Filter) -> dict[str, Any] | None:
    """In Chroma's form; None of every row. Its `$ne` and `$nin` match rows without the field."""
    if where == EVERY:
        return None
    if not isinstance(where, Comparison):
        how = "$and" if isinstance(where, And) else "$or"
        return {how: [_said(part) for part in where.parts]}
    if where.op not in ("in", "nin"):
        [value], [kind] = where.values, where.kinds
        assert kind is not None
        return {slots.field(where.key, kind): {f"${where.op}": value}}
    by_field: defaultdict[str, list[Value]] = defaultdict(list)
    for value, kind in zip(where.values, where.kinds, strict=True):
        assert kind is not None
        by_field[slots.field(where.key, kind)].append(value)
    parts = [{field: {f"${where.op}": values}} for field, values in by_field.items()]
    how = "$or" if where.op == "in" else "$and"
    return parts[0] if len(parts) == 1 else {how: parts}


def _distances(found: Sequence[float], metric: Metric) -> Any:
    """Chroma's are 1 - product, or the square of the Euclidean one."""
    own = np.array(found, np.float64)
    if metric == "euclidean":
        return np.sqrt(own)
    return own - 1 if metric == "dot" else own


def _page(found: Any, collection: Collection) -> Page:
    originals = [(fields or {}).get(_VECTOR) for fields in found["metadatas"]]
    vectors = np.array(found["embeddings"], np.float32).reshape(-1, collection.dimensions)
    return Page(found["ids"], given(vectors, originals), [_plain(f) for f in found["metadatas"]])


def _plain(fields: Mapping[str, Any] | None) -> dict[str, Any]:
    return slots.unpacked((fields or {}).get(_ATTRIBUTES, "{}"))
