"""Typesense, 27 or newer.

Typesense changes the case of texts, cuts them into words, has numbers of 32 bits, no filter for a
field that is missing, and no Euclidean distance. So an attribute is a word of letters and digits in
`has`, which every row has: `eq` and `in` look for it, `ne` and `nin` for rows without it. Numbers
are in fields of their own as well, as whole numbers in the same order, for `gt` and the like.

The key is TYPESENSE_API_KEY.
"""

import hashlib
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import typesense  # pyright: ignore[reportMissingImports]
from typesense import exceptions  # pyright: ignore[reportMissingImports]

from tunewright.errors import BadRequest, TunewrightError, Unavailable
from tunewright.vectors.databases import slots
from tunewright.vectors.databases.calling import deadline
from tunewright.vectors.databases.connected import Connected
from tunewright.vectors.databases.database import Collection, Database, Found, Limits, Page
from tunewright.vectors.databases.place import Place, place_of
from tunewright.vectors.databases.slots import word
from tunewright.vectors.filters import EVERY, And, Comparison, Filter, kind
from tunewright.vectors.index import Floats, Metric

_PAGE = 250  # hits of one search, by Typesense's limits
_MOST_COMPARISONS = 100  # of one filter, by Typesense's default
_ADDRESS = 3500  # letters of a filter in an address: 4,000 are taken
_UNKNOWN = re.compile(r"filter field named `?(\w+)`?")
_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class Typesense(Database):
    # A batch of 40 rows is what Typesense indexes at once.
    limits = Limits(rows=40, ids=100, nearest=1000, queries=10, metrics=("cosine", "dot"))

    def __init__(self, place: Place) -> None:
        self._place = place

    @cached_property
    def _client(self) -> Any:
        port = self._place.port or (443 if self._place.transport == "https" else 8108)
        node = {"host": self._place.host, "port": port, "protocol": self._place.transport}
        return typesense.Client(
            {
                "nodes": [node | ({"path": f"/{self._place.path}"} if self._place.path else {})],
                "api_key": self._place.needed("TYPESENSE_API_KEY"),
                "connection_timeout_seconds": deadline(self.limits),
                "num_retries": 1,
                "retry_interval_seconds": 0.1,
            }
        )

    def collection(self, name: str) -> Collection | None:
        try:
            found = self._client.collections[name].retrieve()
        except exceptions.ObjectNotFound:
            return None
        has = found.get("metadata", {}).get("tunewright")
        if not has:
            raise TunewrightError(
                f"The collection '{name}' of {self._place} was not made by Tunewright."
            )
        return Collection(name, has["dimensions"], cast("Metric", has["metric"]))

    def names(self) -> Iterator[str]:
        for found in self._client.collections.retrieve():
            if found.get("metadata", {}).get("tunewright"):
                yield found["name"]

    def create(self, name: str, dimensions: int, metric: Metric) -> None:
        vector = {
            "name": "vector",
            "type": "float[]",
            "num_dim": dimensions,
            "vec_dist": "ip" if metric == "dot" else "cosine",
        }
        schema = {
            "name": name,
            "metadata": {"tunewright": {"dimensions": dimensions, "metric": metric}},
            "fields": [
                # Not in the index: read, never searched.
                {"name": "name", "type": "string", "index": False, "optional": True},
                {"name": "json", "type": "string", "index": False, "optional": True},
                {"name": "has", "type": "string[]"},
                {"name": "place", "type": "int64"},
                {"name": "n_.*", "type": "int64", "optional": True, "sort": False},
                # The Euclidean distance is not Typesense's: such rows are read and compared here.
                vector
                if metric != "euclidean"
                else {"name": "vector", "type": "float[]", "index": False, "optional": True},
            ],
        }
        try:
            self._client.collections.create(schema)
        except exceptions.ObjectAlreadyExists:
            return

    def drop(self, collection: Collection) -> None:
        try:
            self._client.collections[collection.name].delete()
        except exceptions.ObjectNotFound:
            return

    def put(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> None:
        documents = [
            {
                "id": _key(id),
                "name": id,
                "json": slots.packed(one),
                "has": ["every", *(word(key, value) for key, value in one.items())],
                "place": _place_of(id),
                "vector": vector,
                **{
                    slots.field(key, "number"): slots.ordered(value)
                    for key, value in one.items()
                    if kind(value) == "number"
                },
            }
            for id, vector, one in zip(ids, vectors.tolist(), attributes, strict=True)
        ]
        results = self._documents(collection).import_(documents, {"action": "upsert"})
        for id, result in zip(ids, results, strict=True):
            if not result["success"]:
                raise TunewrightError(
                    f"{self._place} refuses the row '{id}': {result.get('error', '')[:300]}"
                )

    def _documents(self, collection: Collection) -> Any:
        return self._client.collections[collection.name].documents

    def remove(self, collection: Collection, ids: Sequence[str]) -> None:
        keys = [_key(id) for id in ids]
        for start in range(0, len(keys), 50):
            listed = ",".join(keys[start : start + 50])
            self._documents(collection).delete({"filter_by": f"id:[{listed}]"})

    def remove_where(self, collection: Collection, where: Filter) -> bool:
        filter = compiled(where)
        if len(filter) > _ADDRESS:
            return False
        try:
            self._documents(collection).delete({"filter_by": filter})
        except exceptions.RequestMalformed as error:
            if not _UNKNOWN.search(str(error)):
                raise
            return False  # a number that no row has ever had
        return True

    def fetch(self, collection: Collection, ids: Sequence[str]) -> Page:
        listed = ",".join(_key(id) for id in ids)
        [found] = self._searches(collection, [{"per_page": _PAGE}], EVERY, f"id:[{listed}]")
        return _page([hit["document"] for hit in found["hits"]], collection)

    def search(
        self, collection: Collection, queries: Floats, n: int, where: Filter, attributes: bool
    ) -> list[Found]:
        measured = collection.metric == "dot"  # what Typesense's distance of products is, we skip
        fields = ["name"] + ["json"] * attributes + ["vector"] * measured
        asked = [
            {
                # A filter of few rows is searched row by row, which is faster and exact.
                "vector_query": f"vector:([{','.join(map(repr, query))}], k:{n}, "
                "flat_search_cutoff:1000)",
                "include_fields": ",".join(fields),
                "per_page": min(n, _PAGE),
                "page": page,
            }
            for query in queries.tolist()
            for page in range(1, -(-n // _PAGE) + 1)
        ]
        answers = self._searches(collection, asked, where)
        pages = len(asked) // len(queries)
        found = [
            [hit for answer in answers[start : start + pages] for hit in answer["hits"]][:n]
            for start in range(0, len(asked), pages)
        ]
        return [_found(hits, collection, attributes, measured) for hits in found]

    def _searches(
        self,
        collection: Collection,
        searches: Sequence[Mapping[str, Any]],
        where: Filter,
        narrower: str = "",
    ) -> list[Any]:
        """The answers to each, of rows that match."""
        never: set[str] = set()  # fields that no row has ever had, so Typesense has not heard of
        while True:
            filter = " && ".join([compiled(where, never)] + [narrower] * bool(narrower))
            own = {"collection": collection.name, "q": "*", "filter_by": filter}
            asked = {"searches": [own | {**search} for search in searches]}
            answers = self._client.multi_search.perform(asked, {})["results"]
            failed = next((answer for answer in answers if "error" in answer), None)
            if failed is None:
                return answers
            unknown = _UNKNOWN.search(failed["error"])
            if unknown is None or unknown[1] in never:
                raise _refused(failed.get("code", 400), failed["error"], self._place)
            never.add(unknown[1])

    def count(self, collection: Collection, where: Filter) -> int:
        [answer] = self._searches(collection, [{"per_page": 0}], where)
        return answer["found"]

    def pages(
        self, collection: Collection, where: Filter, *, vectors: bool, attributes: bool
    ) -> Iterator[Page]:
        """In the order of `place`; two rows may have the same one, so a page begins with the last
        of the page before."""
        fields = ["name", "place"] + ["json"] * attributes + ["vector"] * vectors
        search = {
            "sort_by": "place:asc",
            "include_fields": ",".join(fields),
            "per_page": _PAGE,
        }
        seen: set[str] = set()
        first = 0
        while True:
            [found] = self._searches(collection, [search], where, f"place:>={first}")
            documents = [hit["document"] for hit in found["hits"]]
            rows = [row for row in documents if row["name"] not in seen]
            if rows:
                yield _page(rows, collection, vectors=vectors, attributes=attributes)
            if len(documents) < _PAGE:
                break
            first = documents[-1]["place"]
            seen = {row["name"] for row in documents if row["place"] == first}

    def expresses(self, comparison: Comparison) -> bool:
        return comparison.op not in _SIGNS or comparison.kinds == ("number",)

    def fits(self, where: Filter) -> bool:
        return _comparisons(where) <= _MOST_COMPARISONS

    def error_of(self, error: Exception) -> TunewrightError | None:
        """The client's exceptions are OSErrors of a status and a message."""
        if not isinstance(error, exceptions.TypesenseClientError) or len(error.args) != 2:
            return None
        return _refused(*error.args, self._place)

    def close(self) -> None:
        if "_client" in vars(self):
            self._client.api_call.close()


def compiled(tree: Filter, never: Container[str] = ()) -> str:
    """Typesense's own filter. `expresses` holds for each comparison; of words and whole numbers
    only, so there is nothing to escape. never: fields that are not there."""
    if tree == EVERY:
        return "has:=every"
    if not isinstance(tree, Comparison):
        sign = " && " if isinstance(tree, And) else " || "
        return f"({sign.join(compiled(part, never) for part in tree.parts)})"
    if tree.op in _SIGNS:
        field = slots.field(tree.key, "number")
        if field in never:
            return "has:=never"
        return f"{field}:{_SIGNS[tree.op]}{slots.ordered(float(tree.values[0]))}"
    words = ",".join(word(tree.key, value) for value in tree.values)
    return f"has:{'!=' if tree.op in ('ne', 'nin') else '='}[{words}]"


def _comparisons(tree: Filter) -> int:
    return 1 if isinstance(tree, Comparison) else sum(map(_comparisons, tree.parts))


def _key(id: str) -> str:
    """Ids of Typesense are parts of addresses."""
    return "i" + hashlib.sha256(id.encode()).hexdigest()


def _place_of(id: str) -> int:
    """An order in which all rows can be gone through, 63 bits."""
    return int.from_bytes(hashlib.sha256(id.encode()).digest()[:8], "big") >> 1


def _found(hits: Sequence[Any], collection: Collection, attributes: bool, measured: bool) -> Found:
    rows = [hit["document"] for hit in hits]
    page = _page(rows, collection, vectors=measured, attributes=attributes)
    away = np.array([hit["vector_distance"] for hit in hits], np.float64)
    return Found(page.ids, away, page.attributes, page.vectors)


def _page(
    rows: Sequence[Any], collection: Collection, *, vectors: bool = True, attributes: bool = True
) -> Page:
    floats = np.array([row["vector"] for row in rows], np.float32) if vectors else None
    return Page(
        [row["name"] for row in rows],
        None if floats is None else floats.reshape(-1, collection.dimensions),
        [slots.unpacked(row["json"]) for row in rows] if attributes else None,
    )


def _refused(code: int, said: str, place: Place) -> TunewrightError:
    if code in (401, 403):
        return Unavailable(f"{place} refuses our key: set the right TYPESENSE_API_KEY.")
    if 400 <= code < 500 and code not in (408, 429):
        return TunewrightError(f"{place} refuses what we ask: {said[:300]}")
    return Unavailable(f"{place} has failed: {code} {said[:300]}. It may be asked again.")


def open_index(url: str) -> Connected:
    place = place_of(url)
    if not place.transport:
        raise BadRequest("Typesense is at typesense+http://HOST:PORT or typesense+https://HOST.")
    return Connected(place, Typesense(place))
