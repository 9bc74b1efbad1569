"""Weaviate as docs.weaviate.io describes its API, version 1.33; gRPC by the client's own stubs.

REST    /v1/schema, /v1/schema/{class}, /v1/schema/{class}/properties: "Manage collections";
        /v1/meta, /v1/.well-known
gRPC    Search (nearVector; filters with sort and limit), BatchObjects, BatchDelete (10,000 at
        once), Aggregate (objects_count): "gRPC API", and weaviate.proto
filters "Filters": Equal, ranges, ContainsAny, ContainsNone, And, Or. Texts of the tokenization
        `field` are compared as a whole, without spaces around them. A property that no schema has
        is refused. NotEqual and IsNull depend on settings: they are not served.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from database_stubs import Answer, Request, nearest, serving

from tunewright.testing.vectors.reference import holds

METRICS = {"cosine": "cosine", "dot": "dot", "l2-squared": "euclidean"}
RANGES = {3: "gt", 4: "gte", 5: "lt", 6: "lte"}
AND, OR, CONTAINS_ANY, CONTAINS_NONE = 7, 8, 12, 14


class Refused(Exception):
    pass


class Weaviate:
    def __init__(self) -> None:
        self.classes: dict[str, dict[str, Any]] = {}
        self.rows: dict[str, dict[str, dict[str, Any]]] = {}

    def answer(self, request: Request) -> Answer:
        if request.headers.get("Authorization") != "Bearer the-key":
            return 401, {"error": [{"message": "anonymous access not enabled"}]}
        match request.method, request.path[1:]:
            case "GET", ["meta"]:
                return 200, {"version": "1.33.0", "hostname": "stub", "modules": {}}
            case "GET", [".well-known", "ready"]:
                return 200, {}
            case "POST", ["schema"]:
                return self.create(request.json())
            case "GET", ["schema"]:
                return 200, {"classes": list(self.classes.values())}
            case "GET", ["schema", name] if name in self.classes:
                return 200, self.classes[name]
            case "DELETE", ["schema", name]:
                self.classes.pop(name, None)
                self.rows.pop(name, None)
                return 200, {}
            case "POST", ["schema", name, "properties"]:
                given, there = request.json(), self.classes[name]["properties"]
                if any(one["name"] == given["name"] for one in there):
                    return 422, {"error": [{"message": f"property {given['name']} already exists"}]}
                there.append(described(given))
                return 200, given
            case _:
                return 404, {"error": [{"message": "not found"}]}

    def create(self, schema: dict[str, Any]) -> Answer:
        name = schema["class"]
        if name.lower() in map(str.lower, self.classes):
            return 422, {"error": [{"message": f"class name {name} already exists"}]}
        schema["properties"] = [described(one) for one in schema["properties"]]
        self.classes[name] = defaults() | schema
        self.classes[name]["vectorIndexConfig"] = {
            **defaults()["vectorIndexConfig"],
            **schema["vectorIndexConfig"],
        }
        self.rows[name] = {}
        return 200, self.classes[name]

    def matching(self, name: str, filters: Any) -> dict[str, dict[str, Any]]:
        """filters: None, or base_pb2.Filters."""
        if name not in self.rows:
            raise Refused(f"could not find class {name} in schema")
        known = {one["name"] for one in self.classes[name]["properties"]} | {"_id"}
        rows = self.rows[name]
        return {
            id: row
            for id, row in rows.items()
            if filters is None or self.holds(filters, row["properties"] | {"_id": id}, known)
        }

    def holds(self, given: Any, properties: Mapping[str, Any], known: set[str]) -> bool:
        if given.operator in (AND, OR):
            parts = [self.holds(part, properties, known) for part in given.filters]
            return all(parts) if given.operator == AND else any(parts)
        name = given.target.property
        if name not in known:
            raise Refused(f"no such prop with name '{name}' found in class")
        value = getattr(given, given.WhichOneof("test_value"))
        if given.operator in RANGES:
            return holds({"type": RANGES[given.operator], "key": name, "value": value}, properties)
        there = properties.get(name, [])
        there = {one.strip() for one in (there if isinstance(there, list) else [there])}
        found = any(one.strip() in there for one in value.values)
        if given.operator == CONTAINS_ANY:
            return found
        if given.operator == CONTAINS_NONE:
            return not found
        raise Refused(f"operator {given.operator} is not served")

    def measured(
        self, name: str, rows: Mapping[str, Any], query: list[float]
    ) -> list[tuple[float, str]]:
        metric = METRICS[self.classes[name]["vectorIndexConfig"]["distance"]]
        for row in rows.values():
            if len(row["vector"]) != len(query):
                raise Refused("vector lengths don't match")
        found = nearest(metric, query, {id: row["vector"] for id, row in rows.items()})
        return [(away**2 if metric == "euclidean" else away, id) for away, id in found]


def described(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "indexFilterable": True,
        "indexSearchable": False,
        "indexRangeFilters": False,
        "tokenization": "word" if given["dataType"] == ["text"] else None,
        **given,
    }


def defaults() -> dict[str, Any]:
    """What the server adds to a class that is described in part."""
    return {
        "invertedIndexConfig": {
            "bm25": {"b": 0.75, "k1": 1.2},
            "cleanupIntervalSeconds": 60,
            "stopwords": {"additions": None, "preset": "en", "removals": None},
        },
        "multiTenancyConfig": {"enabled": False},
        "replicationConfig": {"factor": 1, "asyncEnabled": False},
        "shardingConfig": {
            "virtualPerPhysical": 128,
            "desiredCount": 1,
            "actualCount": 1,
            "desiredVirtualCount": 128,
            "actualVirtualCount": 128,
            "key": "_id",
            "strategy": "hash",
            "function": "murmur3",
        },
        "vectorIndexConfig": {
            "skip": False,
            "cleanupIntervalSeconds": 300,
            "maxConnections": 32,
            "efConstruction": 128,
            "ef": -1,
            "dynamicEfMin": 100,
            "dynamicEfMax": 500,
            "dynamicEfFactor": 8,
            "vectorCacheMaxObjects": 1_000_000_000_000,
            "flatSearchCutoff": 40_000,
            "distance": "cosine",
        },
    }


@contextmanager
def weaviate() -> Iterator[str]:
    from weaviate_grpc_stub import grpc_serving  # its libraries come with the client

    stub = Weaviate()
    with serving(stub.answer) as port, grpc_serving(stub) as grpc_port:
        yield f"weaviate+http://127.0.0.1:{port}?grpc_port={grpc_port}"
