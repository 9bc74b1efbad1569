"""Redis: ``redis://HOST:PORT/DATABASE`` and ``rediss://``, whose password REDIS_PASSWORD has. Where
it has its query engine (RediSearch; Redis 8 brings it), that; else its vector sets (`redis_sets`).
What a collection was made with is written beside it, and stays.

A row is a hash under ``tunewright:row:COLLECTION:ID``, and ``tunewright:collections`` lists the
collections. A row's vector (where the metric is cosine, made one of length 1, with the one that was
given beside it) is compared with each query: the index is FLAT, so what it finds is exact. What
equals what is asked by tags: hexadecimal digits of a key with a value, of which no sign means
anything to Redis. The order of numbers and texts is not asked; rows are compared here then.

How soon a write is on the disk is the server's own setting: `appendonly yes` and `appendfsync
always` keep what `VectorIndex` promises.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from importlib import import_module
from typing import Any, cast

import numpy as np
import orjson

from tunewright.errors import BadRequest, NotFound, StorageFull, TunewrightError, Unavailable
from tunewright.vectors.databases.connected import Connected
from tunewright.vectors.databases.database import Collection, Database, Found, Limits, Page
from tunewright.vectors.databases.jsonb import plain_of, text_of
from tunewright.vectors.databases.place import Place, place_of
from tunewright.vectors.databases.redis_sets import Sets
from tunewright.vectors.databases.slots import packed, unpacked
from tunewright.vectors.databases.units import given, units
from tunewright.vectors.filters import EVERY, And, Comparison, Filter, Kind, Value, kind
from tunewright.vectors.index import Floats, Metric

_SPACES = {"cosine": "IP", "dot": "IP", "euclidean": "L2"}
_COLLECTIONS = "tunewright:collections"
_VECTOR, _GIVEN, _ATTRIBUTES, _TAGS = b"v", b"g", b"a", b"t"
_PAGE = 1000
_WAIT = 30_000  # ms: by itself the server gives what it has found after half a second


def open_index(url: str) -> Connected:
    place = place_of(url)
    return Connected(place, Redis(place))


class Redis(Database):
    # An upsert is one transaction, as large as a query buffer of Redis.
    limits = Limits(rows=10_000, size=500_000_000, ids=10_000, queries=50, short_is_all=True)

    def __init__(self, place: Place) -> None:
        if place.local:
            raise BadRequest("A redis index is a place like redis://HOST:PORT.")
        self._place = place
        self._library = cast("Any", import_module("redis"))

    @cached_property
    def _client(self) -> Any:
        secret = self._place.secret("REDIS_PASSWORD")
        more = {"password": secret} if secret else {}
        return self._library.Redis.from_url(
            self._place.url, protocol=2, socket_connect_timeout=10, socket_timeout=60, **more
        )

    def collection(self, name: str) -> Collection | None:
        found = self._client.hget(_COLLECTIONS, name)
        if found is None:
            return None
        said = orjson.loads(found)
        by_sets = said.get("kept") == "vector sets"
        own = Sets(self._client, self.fetch, tag) if by_sets else None
        return Collection(name, said["dimensions"], cast("Metric", said["metric"]), own)

    def names(self) -> Iterator[str]:
        yield from (name.decode() for name in self._client.hkeys(_COLLECTIONS))

    def create(self, name: str, dimensions: int, metric: Metric) -> None:
        kept = self._kept()
        if kept == "query engine":
            self._create_index(name, dimensions, metric)
        said = orjson.dumps({"dimensions": dimensions, "metric": metric, "kept": kept})
        self._client.hsetnx(_COLLECTIONS, name, said)

    def _kept(self) -> str:
        """By what a new collection is searched here."""
        engine, sets = self._client.execute_command("COMMAND INFO", "FT.SEARCH", "VSIM")
        if engine or sets:
            return "query engine" if engine else "vector sets"
        raise Unavailable(
            f"{self._place} has neither a query engine (the commands FT.*) nor vector sets (VSIM): "
            "use Redis 8, or Redis Stack."
        )

    def _create_index(self, name: str, dimensions: int, metric: Metric) -> None:
        vector = ["FLAT", 6, "TYPE", "FLOAT32", "DIM", dimensions]
        schema = [_TAGS, "TAG", _VECTOR, "VECTOR", *vector, "DISTANCE_METRIC", _SPACES[metric]]
        where = ["ON", "HASH", "PREFIX", 1, _row(name)]
        try:
            self._client.execute_command("FT.CREATE", _index(name), *where, "SCHEMA", *schema)
        except self._library.ResponseError as error:
            if "already exists" not in str(error):
                raise

    def drop(self, collection: Collection) -> None:
        """Its rows too (DD)."""
        self._client.hdel(_COLLECTIONS, collection.name)
        if isinstance(collection.own, Sets):
            collection.own.drop(collection, lambda id: _key(collection, id))
            return
        self._client.execute_command("FT.DROPINDEX", _index(collection.name), "DD")

    def put(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> None:
        kept, originals = units(vectors, collection.metric)
        prefix, rows = _row(collection.name), kept.astype("<f4")
        with self._client.pipeline(transaction=True) as together:
            for id, vector, original, said in zip(ids, rows, originals, attributes, strict=True):
                tags = ",".join(tag(key, value) for key, value in said.items())
                told = (_VECTOR, vector.tobytes(), _GIVEN, original or "")
                together.execute_command(
                    "HSET",
                    prefix + text_of(id).encode(),
                    *told,
                    _ATTRIBUTES,
                    packed(said),
                    _TAGS,
                    tags,
                )
            if isinstance(collection.own, Sets):
                collection.own.put(together, collection, ids, kept, attributes)
            together.execute()

    def remove(self, collection: Collection, ids: Sequence[str]) -> None:
        with self._client.pipeline(transaction=True) as together:
            together.delete(*(_key(collection, id) for id in ids))
            if isinstance(collection.own, Sets):
                collection.own.remove(together, collection, ids)
            together.execute()

    def fetch(self, collection: Collection, ids: Sequence[str]) -> Page:
        with self._client.pipeline(transaction=False) as together:
            for id in ids:
                together.hmget(_key(collection, id), _VECTOR, _GIVEN, _ATTRIBUTES)
            rows = together.execute()
        there = [at for at, row in enumerate(rows) if row[0] is not None]
        vectors = np.frombuffer(b"".join(rows[at][0] for at in there), "<f4")
        return Page(
            [ids[at] for at in there],
            given(
                vectors.reshape(len(there), collection.dimensions),
                [rows[at][1].decode() or None for at in there],
            ),
            [unpacked(rows[at][2]) for at in there],
        )

    def search(
        self, collection: Collection, queries: Floats, n: int, where: Filter, attributes: bool
    ) -> list[Found]:
        if isinstance(collection.own, Sets):
            return collection.own.search(collection, queries, n, where, attributes)
        asked = f"({said(where)})=>[KNN $n @v $q AS d]"
        shown = ["d", _ATTRIBUTES] if attributes else ["d"]
        told = ["FT.SEARCH", _index(collection.name), asked, "RETURN", len(shown), *shown]
        order = ["SORTBY", "d", "LIMIT", 0, n, "TIMEOUT", _WAIT, "DIALECT", 2]
        commands = [
            [*told, *order, "PARAMS", 4, "n", n, "q", query.astype("<f4").tobytes()]
            for query in units(queries, collection.metric)[0]
        ]
        answers = self._answers(commands)
        return [_found(collection, answer, attributes) for answer in answers]

    def _answers(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        if len(commands) == 1:  # a pipeline costs as much as two commands
            return [self._client.execute_command(*commands[0])]
        with self._client.pipeline(transaction=False) as together:
            for command in commands:
                together.execute_command(*command)
            return together.execute()

    def count(self, collection: Collection, where: Filter) -> int:
        if isinstance(collection.own, Sets):
            return collection.own.count(collection, where)
        none = ["NOCONTENT", "LIMIT", 0, 0, "TIMEOUT", _WAIT, "DIALECT", 2]
        return self._client.execute_command(
            "FT.SEARCH", _index(collection.name), said(where), *none
        )[0]

    def pages(
        self, collection: Collection, where: Filter, *, vectors: bool, attributes: bool
    ) -> Iterator[Page]:
        if isinstance(collection.own, Sets):
            told = {"vectors": vectors, "attributes": attributes}
            yield from collection.own.pages(collection, where, **told)
            return
        index, cut = _index(collection.name), len(_row(collection.name))
        every = ["LOAD", 1, "@__key", "TIMEOUT", _WAIT, "DIALECT", 2]
        paged = ["WITHCURSOR", "COUNT", _PAGE]
        rows, cursor = self._client.execute_command(
            "FT.AGGREGATE", index, said(where), *every, *paged
        )
        while True:
            ids = [plain_of(row[1][cut:].decode()) for row in rows[1:]]
            yield self.fetch(collection, ids) if vectors or attributes else Page(ids)
            if not cursor:
                return
            rows, cursor = self._client.execute_command(
                "FT.CURSOR", "READ", index, cursor, "COUNT", _PAGE
            )

    def read(self, collection: Collection, after: str | None, limit: int) -> Page | None:
        by_sets = isinstance(collection.own, Sets)
        return collection.own.read(collection, after, limit) if by_sets else None

    def expresses(self, comparison: Comparison) -> bool:
        return comparison.op in ("eq", "ne", "in", "nin")

    def error_of(self, error: Exception) -> TunewrightError | None:
        text = str(error).lower()
        if "no such index" in text or "unknown index" in text:
            return NotFound("The collection is not there any more.")
        if "unknown command" in text and "ft." in text:
            return Unavailable(
                f"{self._place} has a collection of a query engine (the commands FT.*), which is "
                "not there any more: use Redis 8, or Redis Stack."
            )
        if "oom command not allowed" in text:
            return StorageFull(f"{self._place} has no memory left: {error}. Nothing was written.")
        return None

    def close(self) -> None:
        if "_client" in vars(self):
            self._client.close()


def _index(name: str) -> str:
    return f"tunewright:index:{name}"


def _row(name: str) -> bytes:
    """What the keys of its rows begin with."""
    return f"tunewright:row:{name}:".encode()


def _key(collection: Collection, id: str) -> bytes:
    """RediSearch loses what follows a NUL."""
    return _row(collection.name) + text_of(id).encode()


def said(where: Filter) -> str:
    """In Redis's query language, of which only its signs and hexadecimal digits are in it."""
    if where == EVERY:
        return "*"
    if isinstance(where, Comparison):
        tags = "|".join(tag(where.key, value) for value in where.values)
        sign = "-" if where.op in ("ne", "nin") else ""
        return f"({sign}@t:{{{tags}}})"
    how = " " if isinstance(where, And) else " | "
    return "(" + how.join(map(said, where.parts)) + ")"


def tag(key: str, value: Value) -> str:
    """One of equal pairs only: 1 is 1.0, and neither is true or "1"."""
    return _tag(key, kind(value), value)


@lru_cache(4096)
def _tag(key: str, of: Kind | None, value: Value) -> str:
    said = value if isinstance(value, (str, bool)) else (float(value) + 0.0).hex()
    return hashlib.sha256(orjson.dumps([key, of, said])).hexdigest()[:40]


def _found(collection: Collection, answer: Sequence[Any], attributes: bool) -> Found:
    """answer: how many, then of each row its key and a list of names and values."""
    cut = len(_row(collection.name))
    rows = [dict(zip(row[::2], row[1::2], strict=True)) for row in answer[2::2]]
    away = np.array([float(row[b"d"]) for row in rows], np.float64)
    if collection.metric == "euclidean":
        away = np.sqrt(away)
    elif collection.metric == "dot":
        away -= 1  # Redis's is 1 - product
    ids = [plain_of(key[cut:].decode()) for key in answer[1::2]]
    return Found(ids, away, [unpacked(row[_ATTRIBUTES]) for row in rows] if attributes else None)
