"""Weaviate, 1.33 or newer (for `ContainsNone`).

Whether a property that is missing differs from a value depends on a setting there, and texts are
cut into words. So an attribute is a word of letters and digits in `has`, which every row has: `eq`
and `in` look for it, `ne` and `nin` for rows without it. Numbers are in properties of their own as
well, for `gt` and the like. A row's UUID is made of its id.

``weaviate+http://HOST:PORT?grpc_port=50051``; where gRPC has another host, ``grpc_host=``. The key
is WEAVIATE_API_KEY; without one it is asked without.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import orjson
import weaviate  # pyright: ignore[reportMissingImports]
from weaviate import classes, exceptions  # pyright: ignore[reportMissingImports]

from tunewright.errors import BadRequest, TunewrightError, Unavailable
from tunewright.vectors.databases import slots
from tunewright.vectors.databases.calling import deadline
from tunewright.vectors.databases.connected import Connected
from tunewright.vectors.databases.database import Collection, Database, Found, Limits, Page
from tunewright.vectors.databases.making import Made
from tunewright.vectors.databases.place import Place, place_of
from tunewright.vectors.databases.slots import word
from tunewright.vectors.filters import EVERY, And, Comparison, Filter, kind
from tunewright.vectors.index import Floats, Metric

_PAGE = 250
_DISTANCES: dict[Metric, str] = {"cosine": "cosine", "dot": "dot", "euclidean": "l2-squared"}
_PLAIN = re.compile(r"[a-z0-9_]{1,128}")
_RANGES = {
    "gt": "greater_than",
    "gte": "greater_or_equal",
    "lt": "less_than",
    "lte": "less_or_equal",
}


class Weaviate(Database):
    # Its own default for what one query may give is 10,000.
    limits = Limits(rows=100, ids=250, nearest=10_000)

    def __init__(self, place: Place) -> None:
        self._place = place
        self._made = Made(self._opened, lambda client: client.close())
        self._numbers: dict[str, set[str]] = {}  # of a class: properties that are there

    @property
    def _client(self) -> Any:
        return self._made()

    def _opened(self) -> Any:
        place, secure = self._place, self._place.transport == "https"
        key = place.secret("WEAVIATE_API_KEY")
        seconds = deadline(self.limits)
        timeout = classes.init.Timeout(init=seconds, query=seconds, insert=seconds)
        return weaviate.connect_to_custom(
            http_host=place.host,
            http_port=place.port or (443 if secure else 8080),
            http_secure=secure,
            grpc_host=place.option("grpc_host", place.host),
            grpc_port=int(place.option("grpc_port", "443" if secure else "50051")),
            grpc_secure=secure,
            auth_credentials=classes.init.Auth.api_key(key) if key else None,
            additional_config=classes.init.AdditionalConfig(timeout=timeout),
            skip_init_checks=True,
        )

    def collection(self, name: str) -> Collection | None:
        own = self._client.collections.use(_class(name))
        try:
            found = own.config.get()
        except exceptions.UnexpectedStatusCodeError as error:
            if error.status_code == 404:
                return None
            raise
        self._numbers[own.name] = {one.name for one in found.properties if one.name[:2] == "n_"}
        has = orjson.loads(found.description or "{}")
        return Collection(name, has["dimensions"], cast("Metric", has["metric"]), own)

    def names(self) -> Iterator[str]:
        for own, found in self._client.collections.list_all(simple=False).items():
            if own.startswith(("Tw_", "Twx_")):
                yield orjson.loads(found.description or "{}").get("name", own)

    def create(self, name: str, dimensions: int, metric: Metric) -> None:
        has = {"name": name, "dimensions": dimensions, "metric": metric}
        unread: dict[str, Any] = {"indexFilterable": False, "indexSearchable": False}
        schema = {
            "class": _class(name),
            "description": orjson.dumps(has).decode(),
            "vectorizer": "none",
            "vectorIndexType": "hnsw",
            "vectorIndexConfig": {"distance": _DISTANCES[metric]},
            "properties": [
                {"name": "name", "dataType": ["text"], **unread},
                {"name": "json", "dataType": ["text"], **unread},
                {
                    "name": "has",
                    "dataType": ["text[]"],
                    "tokenization": "field",
                    "indexFilterable": True,
                    "indexSearchable": False,
                },
                _number("place"),
            ],
        }
        try:
            self._client.collections.create_from_dict(schema)
        except exceptions.UnexpectedStatusCodeError as error:
            if "already exists" not in str(error):
                raise

    def drop(self, collection: Collection) -> None:
        self._client.collections.delete(collection.own.name)

    def put(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> None:
        numbers = [_numbers(one) for one in attributes]
        self._make(collection, {name for one in numbers for name in one})
        rows = [
            classes.data.DataObject(
                uuid=slots.uuid_of(id),
                vector=vector,
                properties={
                    "name": id,
                    "json": slots.packed(one),
                    "has": ["every", *(word(key, value) for key, value in one.items())],
                    "place": _place_of(id),
                    **own,
                },
            )
            for id, vector, one, own in zip(ids, vectors.tolist(), attributes, numbers, strict=True)
        ]
        result = collection.own.data.insert_many(rows)
        for error in result.errors.values():
            raise TunewrightError(f"{self._place} refuses a row: {str(error.message)[:300]}")

    def _make(self, collection: Collection, names: set[str]) -> None:
        """Properties of numbers that are not there."""
        known = self._numbers[collection.own.name]
        for name in sorted(names - known):
            try:
                collection.own.config.add_property(
                    classes.config.Property(
                        name=name,
                        data_type=classes.config.DataType.NUMBER,
                        index_filterable=True,
                        index_range_filters=True,
                    )
                )
            except exceptions.UnexpectedStatusCodeError as error:
                if "already exists" not in str(error):  # somebody else has just made it
                    raise
            known.add(name)

    def remove(self, collection: Collection, ids: Sequence[str]) -> None:
        collection.own.data.delete_many(where=_ids(ids))

    def remove_where(self, collection: Collection, where: Filter) -> bool:
        filter = self._compiled(collection, where)
        while collection.own.data.delete_many(where=filter).matches:  # 10,000 at once
            pass
        return True

    def fetch(self, collection: Collection, ids: Sequence[str]) -> Page:
        found = collection.own.query.fetch_objects(
            filters=_ids(ids),
            limit=len(ids),
            include_vector=True,
            return_properties=["name", "json"],
        )
        return _page(found.objects, collection, vectors=True, attributes=True)

    def search(
        self, collection: Collection, queries: Floats, n: int, where: Filter, attributes: bool
    ) -> list[Found]:
        measured = collection.metric == "euclidean"  # of Weaviate it is the square, in float32
        filter = None if where == EVERY else self._compiled(collection, where)
        found: list[Found] = []
        for query in queries.tolist():
            rows = collection.own.query.near_vector(
                near_vector=query,
                limit=n,
                filters=filter,
                include_vector=measured,
                return_properties=["name", "json"] if attributes else ["name"],
                return_metadata=classes.query.MetadataQuery(distance=True),
            ).objects
            page = _page(rows, collection, vectors=measured, attributes=attributes)
            away = np.array([row.metadata.distance for row in rows], np.float64)
            found.append(Found(page.ids, away, page.attributes, page.vectors))
        return found

    def count(self, collection: Collection, where: Filter) -> int:
        filter = None if where == EVERY else self._compiled(collection, where)
        return collection.own.aggregate.over_all(filters=filter, total_count=True).total_count

    def pages(
        self, collection: Collection, where: Filter, *, vectors: bool, attributes: bool
    ) -> Iterator[Page]:
        """In the order of `place`; two rows may have the same one, so a page begins with the last
        of the page before."""
        filter = self._compiled(collection, where)
        seen: set[str] = set()
        first = 0.0
        while True:
            from_here = classes.query.Filter.by_property("place").greater_or_equal(first)
            found = collection.own.query.fetch_objects(
                filters=filter & from_here,
                sort=classes.query.Sort.by_property("place", ascending=True),
                limit=_PAGE,
                include_vector=vectors,
                return_properties=["name", "place"] + ["json"] * attributes,
            ).objects
            rows = [row for row in found if row.properties["name"] not in seen]
            if rows:
                yield _page(rows, collection, vectors=vectors, attributes=attributes)
            if len(found) < _PAGE:
                break
            first = float(found[-1].properties["place"])
            seen = {row.properties["name"] for row in found if row.properties["place"] == first}

    def expresses(self, comparison: Comparison) -> bool:
        return comparison.op not in _RANGES or comparison.kinds == ("number",)

    def _compiled(self, collection: Collection, tree: Filter) -> Any:
        """Weaviate's own filter. `expresses` holds for each comparison."""
        by = classes.query.Filter.by_property
        if tree == EVERY:
            return by("has").contains_any(["every"])
        if not isinstance(tree, Comparison):
            parts = [self._compiled(collection, part) for part in tree.parts]
            joined = classes.query.Filter
            return joined.all_of(parts) if isinstance(tree, And) else joined.any_of(parts)
        if tree.op in _RANGES:
            return self._range(collection, tree)
        words = [word(tree.key, value) for value in tree.values]
        has = by("has")
        negative = tree.op in ("ne", "nin")
        return has.contains_none(words) if negative else has.contains_any(words)

    def _range(self, collection: Collection, comparison: Comparison) -> Any:
        by, name = classes.query.Filter.by_property, slots.field(comparison.key, "number")
        if name not in self._numbers[collection.own.name]:
            self.collection(collection.name)  # another process may have made it
        if name not in self._numbers[collection.own.name]:
            return by("has").contains_any(["never"])
        return getattr(by(name), _RANGES[comparison.op])(float(comparison.values[0]))

    def error_of(self, error: Exception) -> TunewrightError | None:
        if not isinstance(error, exceptions.UnexpectedStatusCodeError):
            return None
        status, said = getattr(error, "status_code", 0), " ".join(str(error).split())[:300]
        if status in (401, 403):
            return Unavailable(f"{self._place} refuses our key: set WEAVIATE_API_KEY.")
        if status in (400, 422):
            return TunewrightError(f"{self._place} refuses what we ask: {said}")
        return None

    def close(self) -> None:
        self._made.close()


def _class(name: str) -> str:
    """Names of classes begin with a capital, and differ in more than case."""
    if _PLAIN.fullmatch(name):
        return f"Tw_{name}"
    return f"Twx_{hashlib.sha256(name.encode()).hexdigest()}"


def _number(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "dataType": ["number"],
        "indexFilterable": True,
        "indexRangeFilters": True,
    }


def _numbers(attributes: Mapping[str, Any]) -> dict[str, float]:
    return {
        slots.field(key, "number"): value
        for key, value in attributes.items()
        if kind(value) == "number"
    }


def _place_of(id: str) -> float:
    """An order in which all rows can be gone through; a double has 53 bits."""
    return float(int.from_bytes(hashlib.sha256(id.encode()).digest()[:8], "big") >> 11)


def _ids(ids: Sequence[str]) -> Any:
    return classes.query.Filter.by_id().contains_any([slots.uuid_of(id) for id in ids])


def _page(rows: Sequence[Any], collection: Collection, *, vectors: bool, attributes: bool) -> Page:
    floats = np.array([row.vector["default"] for row in rows], np.float32) if vectors else None
    return Page(
        [row.properties["name"] for row in rows],
        None if floats is None else floats.reshape(-1, collection.dimensions),
        [slots.unpacked(row.properties["json"]) for row in rows] if attributes else None,
    )


def open_index(url: str) -> Connected:
    place = place_of(url)
    if not place.transport:
        raise BadRequest("Weaviate is at weaviate+http://HOST:PORT or weaviate+https://HOST.")
    return Connected(place, Weaviate(place))
