"""Collections of a Redis without its query engine, in its vector sets (Redis 8: VADD, VSIM).

Beside the rows' hashes a collection has a vector set, whose elements are the ids, and a sorted set
of the ids, in order. A row's tags (`redis.tag`) are an array of its attributes there, by which a
filter is asked; with TRUTH each row that matches is compared, so what is found is exact. A vector
set knows the cosine only: of other metrics the rows that match are read and compared here, and the
vectors in the set are all the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import orjson

from tunewright.vectors.databases.database import Collection, Found, Page
from tunewright.vectors.databases.nearest import measured
from tunewright.vectors.databases.units import units
from tunewright.vectors.filters import EVERY, And, Comparison, Filter, Value
from tunewright.vectors.index import Floats

Fetch: TypeAlias = Callable[[Collection, Sequence[str]], Page]
Tag: TypeAlias = Callable[[str, Value], str]
_PAGE = 1000


class Sets:
    def __init__(self, client: Any, fetch: Fetch, tag: Tag) -> None:
        self._client, self._fetch, self._tag = client, fetch, tag

    def drop(self, collection: Collection, keys: Callable[[str], bytes]) -> None:
        for ids in self._pages(self._every(collection)):
            self._client.delete(*map(keys, ids))
        self._client.delete(_set(collection), _ids(collection))

    def put(
        self,
        together: Any,
        collection: Collection,
        ids: Sequence[str],
        kept: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> None:
        """What a transaction has beside the rows themselves."""
        rows = kept if collection.metric == "cosine" else np.ones_like(kept)
        for id, row, said in zip(ids, rows.astype("<f4"), attributes, strict=True):
            tags = orjson.dumps({"t": [self._tag(key, value) for key, value in said.items()]})
            vector, name = row.tobytes(), id.encode()
            together.execute_command(
                "VADD", _set(collection), "FP32", vector, name, "NOQUANT", "SETATTR", tags
            )
            together.execute_command("ZADD", _ids(collection), 0, name)

    def remove(self, together: Any, collection: Collection, ids: Sequence[str]) -> None:
        for id in ids:
            together.execute_command("VREM", _set(collection), id.encode())
            together.execute_command("ZREM", _ids(collection), id.encode())

    def search(
        self, collection: Collection, queries: Floats, n: int, where: Filter, attributes: bool
    ) -> list[Found]:
        if collection.metric != "cosine":
            return self._read(collection, queries, n, where, attributes)
        found: list[Found] = []
        for query in units(queries, "cosine")[0]:
            ids, away = self._near(collection, query, n, where)
            said = self._attributes(collection, ids) if attributes else None
            found.append(Found(ids, away, said))
        return found

    def _near(
        self, collection: Collection, query: Floats, n: int, where: Filter
    ) -> tuple[list[str], Any]:
        """VSIM's score is half of 1 + the cosine."""
        asked = ["FP32", query.astype("<f4").tobytes(), "WITHSCORES", "COUNT", n]
        # In a thread of its own it would see the half of a transaction.
        asked += ["TRUTH", "NOTHREAD"]
        filtered = [] if where == EVERY else ["FILTER", self._said(where)]
        rows = self._client.execute_command("VSIM", _set(collection), *asked, *filtered)
        away = 2 - 2 * np.array([float(score) for score in rows[1::2]], np.float64)
        return [id.decode() for id in rows[::2]], away

    def _attributes(self, collection: Collection, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        page = self._fetch(collection, ids) if ids else Page([], None, [])
        assert page.attributes is not None
        there = dict(zip(page.ids, page.attributes, strict=True))
        return [there.get(id, {}) for id in ids]

    def _read(
        self, collection: Collection, queries: Floats, n: int, where: Filter, attributes: bool
    ) -> list[Found]:
        ids, said = list[str](), list[Mapping[str, Any]]()
        vectors = [np.empty((0, collection.dimensions), np.float32)]
        for page in self.pages(collection, where, vectors=True, attributes=True):
            assert page.vectors is not None
            assert page.attributes is not None
            ids += page.ids
            said += page.attributes
            vectors.append(page.vectors)
        found: list[Found] = []
        for away in measured(collection.metric, queries, np.concatenate(vectors)):
            best = np.argsort(away, kind="stable")[:n].tolist()
            told = [said[at] for at in best] if attributes else None
            found.append(Found([ids[at] for at in best], away[best], told))
        return found

    def count(self, collection: Collection, where: Filter) -> int:
        return len(self._matching(collection, where))

    def pages(
        self, collection: Collection, where: Filter, *, vectors: bool, attributes: bool
    ) -> Iterator[Page]:
        for ids in self._pages(self._matching(collection, where)):
            yield self._fetch(collection, ids) if vectors or attributes else Page(ids)

    def read(self, collection: Collection, after: str | None, limit: int) -> Page:
        start = b"-" if after is None else b"(" + after.encode()
        asked = (_ids(collection), start, b"+", "LIMIT", 0, limit)
        ids = [id.decode() for id in self._client.execute_command("ZRANGEBYLEX", *asked)]
        if not ids:
            return Page([], np.empty((0, collection.dimensions), np.float32), [])
        return self._fetch(collection, ids)

    def _pages(self, ids: list[str]) -> Iterator[list[str]]:
        for start in range(0, len(ids), _PAGE):
            yield ids[start : start + _PAGE]

    def _every(self, collection: Collection) -> list[str]:
        found = self._client.execute_command("ZRANGE", _ids(collection), 0, -1)
        return [id.decode() for id in found]

    def _matching(self, collection: Collection, where: Filter) -> list[str]:
        """All ids."""
        if where == EVERY:
            return self._every(collection)
        there = self._client.execute_command("ZCARD", _ids(collection))
        any_one = np.ones(collection.dimensions, np.float32)
        return self._near(collection, any_one, there, where)[0] if there else []

    def _said(self, where: Filter) -> str:
        """In the language of FILTER, of which only its signs and hexadecimal digits are in it."""
        if isinstance(where, Comparison):
            tags = [f'"{self._tag(where.key, value)}" in .t' for value in where.values]
            said = "(" + " or ".join(tags) + ")"
            return said if where.op in ("eq", "in") else f"not {said}"
        how = " and " if isinstance(where, And) else " or "
        return how.join(f"({self._said(part)})" for part in where.parts)


def _set(collection: Collection) -> str:
    return f"tunewright:set:{collection.name}"


def _ids(collection: Collection) -> str:
    return f"tunewright:ids:{collection.name}"
