"""Pinecone as docs.pinecone.io describes its vectors API, version 2026-07.

control plane   POST, GET /indexes; GET, DELETE /indexes/{name}: "Manage indexes". Each index has a
                host of its own.
/vectors/upsert, /query, /vectors/fetch, /vectors/list, /vectors/delete, /vectors/fetch_by_metadata,
/describe_index_stats, /namespaces/{name}: "API reference", data plane
limits          "Database limits": 1,000 records and 2 MB a write, ids of 512 ASCII characters,
                40 KB of metadata, 10,000 hits and 4 MB an answer
filters         "Filter by metadata": $eq $ne $gt $gte $lt $lte $in $nin $exists $and $or; ranges of
                numbers only. Whether $ne and $nin match a record without the field is not said:
                here they do or do not, as `lenient` says.
freshness       "Check data freshness": x-pinecone-request-lsn of a write; here a write is seen at
                once
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from database_stubs import Answer, Request, nearest, serving

from tunewright.testing.vectors.reference import holds

METRICS = {"cosine": "cosine", "dotproduct": "dot", "euclidean": "euclidean"}


class Refused(Exception):
    pass


def need(condition: bool, message: str) -> None:
    if not condition:
        raise Refused(message)


class Pinecone:
    def __init__(self, lenient: bool) -> None:
        self.lenient = lenient
        self.indexes: dict[str, tuple[dict[str, Any], Index]] = {}
        self.hosts = ExitStack()

    def answer(self, request: Request) -> Answer:
        if request.headers.get("Api-Key") != "the-key":
            return 401, error("UNAUTHENTICATED", "Invalid API key")
        match request.method, request.path:
            case "GET", ["indexes"]:
                return 200, {"indexes": [described for described, _ in self.indexes.values()]}
            case "POST", ["indexes"]:
                return self.create(request.json())
            case "GET", ["indexes", name] if name in self.indexes:
                return 200, self.indexes[name][0]
            case _:
                return 404, error("NOT_FOUND", f"Resource {request.path[-1]} not found")

    def create(self, given: dict[str, Any]) -> Answer:
        name, field = given["name"], given["schema"]["fields"]["_values"]
        if name in self.indexes:
            return 409, error("ALREADY_EXISTS", "Resource already exists")
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?", name):
            return 400, error("INVALID_ARGUMENT", "Name must be lower case alphanumeric or '-'")
        index = Index(field["dimension"], METRICS[field["metric"]], self.lenient)
        port = self.hosts.enter_context(serving(index.answer))
        described = {
            "id": f"index-{len(self.indexes)}",
            "name": name,
            "host": f"127.0.0.1:{port}",
            "schema": given["schema"],
            "deployment": given["deployment"],
            "status": {"ready": True, "state": "Ready"},
            "deletion_protection": "disabled",
        }
        self.indexes[name] = described, index
        return 201, described


class Index:
    def __init__(self, dimension: int, metric: str, lenient: bool) -> None:
        self.dimension, self.metric, self.lenient = dimension, metric, lenient
        self.namespaces: dict[str, dict[str, dict[str, Any]]] = {}

    def answer(self, request: Request) -> Answer:
        try:
            return self.answered(request)
        except Refused as refused:
            return 400, error("INVALID_ARGUMENT", str(refused))

    def answered(self, request: Request) -> Answer:
        need(len(request.body) <= 2_000_000, "Request size exceeds the maximum of 2MB")
        given = request.json() if request.body else {}
        given |= {key: values[0] for key, values in request.query.items() if key != "ids"}
        namespace = given.get("namespace", "")
        need(namespace.isascii() and len(namespace) <= 512, "namespace")
        rows = self.namespaces.get(namespace, {})
        match request.method, request.path:
            case "POST", ["vectors", "upsert"]:
                return self.upsert(namespace, given["vectors"])
            case "POST", ["query"]:
                return self.query(rows, given)
            case "GET", ["vectors", "fetch"]:
                ids = request.query["ids"]
                need(len(ids) <= 1000, "too many ids")
                return 200, {"vectors": {id: rows[id] for id in ids if id in rows}}
            case "POST", ["vectors", "fetch_by_metadata"]:
                need(bool(given["filter"]), "filter")
                matching = {id: row for id, row in rows.items() if self.holds(given["filter"], row)}
                page, after = paged(matching, given)
                return 200, {"vectors": {id: rows[id] for id in page}, "pagination": after}
            case "GET", ["vectors", "list"]:
                need(int(given.get("limit", 100)) <= 100, "limit")
                page, after = paged(rows, given)
                return 200, {"vectors": [{"id": id} for id in page], "pagination": after}
            case "POST", ["vectors", "delete"]:
                return self.delete(namespace, given)
            case "POST", ["describe_index_stats"]:
                counts = {name: {"vectorCount": len(of)} for name, of in self.namespaces.items()}
                return 200, {"namespaces": counts, "dimension": self.dimension}
            case "DELETE", ["namespaces", name]:
                there = self.namespaces.pop(name, None)
                return (404, error("NOT_FOUND", "Namespace")) if there is None else (200, {})
            case _:
                return 404, error("NOT_FOUND", "/".join(request.path))

    def upsert(self, namespace: str, given: list[dict[str, Any]]) -> Answer:
        need(0 < len(given) <= 1000, "too many vectors")
        for one in given:
            need(one["id"].isascii() and 0 < len(one["id"]) <= 512, "id")
            need(len(one["values"]) == self.dimension, f"dimension {self.dimension}")
            need(any(one["values"]), "Dense vectors must contain at least one non-zero value")
            need(len(json.dumps(one["metadata"]).encode()) <= 40_960 * 2, "metadata size")
            for key, value in one["metadata"].items():
                need(not key.startswith("$"), "metadata key")
                need(isinstance(value, (str, int, float)), "metadata value")
        # Seen whole: a query that runs has the dictionary of before.
        rows = self.namespaces.get(namespace, {})
        self.namespaces[namespace] = rows | {one["id"]: one for one in given}
        return 200, {"upsertedCount": len(given)}

    def query(self, rows: dict[str, dict[str, Any]], given: dict[str, Any]) -> Answer:
        need(1 <= given["topK"] <= 10_000, "topK")
        need(len(given["vector"]) == self.dimension, "dimension")
        where = given.get("filter", {})
        matching = {id: row["values"] for id, row in rows.items() if self.holds(where, row)}
        found = nearest(self.metric, given["vector"], matching)[: given["topK"]]
        matches = [
            {"id": id, "score": self.score(away)}
            | ({"values": rows[id]["values"]} if given["includeValues"] else {"values": []})
            | ({"metadata": rows[id]["metadata"]} if given["includeMetadata"] else {})
            for away, id in found
        ]
        need(len(json.dumps(matches)) <= 4_000_000, "result size exceeds 4MB")
        return 200, {"matches": matches, "namespace": given.get("namespace", "")}

    def score(self, away: float) -> float:
        return {"cosine": 1 - away, "dot": -away, "euclidean": away**2}[self.metric]

    def delete(self, namespace: str, given: dict[str, Any]) -> Answer:
        if namespace not in self.namespaces:
            return 404, error("NOT_FOUND", "Namespace not found")
        rows = self.namespaces[namespace]
        need(len(given.get("ids", [])) <= 1000, "too many ids")
        gone = set(given.get("ids", []))
        if where := given.get("filter"):
            gone = {id for id, row in rows.items() if self.holds(where, row)}
        self.namespaces[namespace] = {id: row for id, row in rows.items() if id not in gone}
        return 200, {}

    def holds(self, where: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
        return all(self.part(key, value, row["metadata"]) for key, value in where.items())

    def part(self, key: str, given: Any, metadata: Mapping[str, Any]) -> bool:
        if key in ("$and", "$or"):
            need(isinstance(given, list) and bool(given), f"{key} must be a list")
            parts = [self.holds(part, {"metadata": metadata}) for part in given]
            return all(parts) if key == "$and" else any(parts)
        need(not key.startswith("$"), f"{key} is not a valid operator")
        return all(self.compare(key, op, value, metadata) for op, value in given.items())

    def compare(self, key: str, op: str, value: Any, metadata: Mapping[str, Any]) -> bool:
        if op == "$exists":
            return (key in metadata) == value
        if op in ("$in", "$nin"):
            need(isinstance(value, list) and 0 < len(value) <= 10_000, op)
            need(all(isinstance(one, (str, float, int)) for one in value), op)
            need(not any(isinstance(one, bool) for one in value), op)
        elif op in ("$gt", "$gte", "$lt", "$lte"):
            need(isinstance(value, (int, float)) and not isinstance(value, bool), op)
        else:
            need(op in ("$eq", "$ne"), f"{op} is not a valid operator")
        if op in ("$ne", "$nin") and key not in metadata:
            return self.lenient
        return holds({"type": op[1:], "key": key, "value": value}, metadata)


def paged(rows: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[list[str], Any]:
    """In the order of ids, as they are listed."""
    after = given.get("paginationToken", "")
    ids = sorted(id for id in rows if id > after)
    page = ids[: int(given.get("limit", 100))]
    return page, {"next": page[-1]} if len(page) < len(ids) else None


def error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}, "status": 0}


@contextmanager
def pinecone(lenient: bool = False) -> Iterator[str]:
    stub = Pinecone(lenient)
    with stub.hosts, serving(stub.answer) as port:
        yield f"pinecone+http://127.0.0.1:{port}/Docs"
