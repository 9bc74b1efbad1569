"""Qdrant as qdrant.tech's API reference ("Collections", "Points") and "Filtering" describe it.

filters         must (all), should (one at least, where there are any), must_not (none); conditions
                on a field: `match.value` of the same type, `range` of numbers; where
                the field is not there it is false, so its must_not is true
points          ids are numbers or UUIDs; an upsert replaces a point whole; `wait=true`: seen when
                answered; scroll in the order of ids, `next_page_offset` is the first that is left
scores          Dot: the product, higher first; Euclid: the distance, lower first
limits          "Payload": any JSON; a batch is one operation
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from database_stubs import Answer, Request, nearest, serving

METRICS = {"Dot": "dot", "Euclid": "euclidean"}
NOT_FOUND = 404, {"status": {"error": "Not found: Collection doesn't exist!"}}


class Qdrant:
    def __init__(self) -> None:
        self.collections: dict[str, dict[str, Any]] = {}  # name -> vectors' parameters
        self.points: dict[str, dict[str, dict[str, Any]]] = {}

    def answer(self, request: Request) -> Answer:
        assert request.path[0] == "collections"
        if request.headers.get("api-key") != "the-key":
            return 401, {"status": {"error": "Must provide an API key"}}
        if request.method == "GET" and len(request.path) == 1:
            return _done({"collections": [{"name": name} for name in self.collections]})
        name, call = request.path[1], request.path[2:]
        if call == ["exists"]:
            return _done({"exists": name in self.collections})
        if request.method == "PUT" and not call:
            return self.create(name, request.json()["vectors"])
        if name not in self.collections:
            return NOT_FOUND
        if not call:
            return self.described(name) if request.method == "GET" else self.drop(name)
        if request.method == "PUT" and call == ["points"]:
            return self.upsert(name, request.json()["batch"])
        return self.of_points(name, call, request.json())

    def of_points(self, name: str, call: list[str], given: Any) -> Answer:
        rows = self.points[name]
        match call:
            case ["points"]:
                found = [rows[id] for id in given["ids"] if id in rows]
                return _done([_shown(point, given) for point in found])
            case ["points", "delete"]:
                gone = given.get("points") or [
                    id for id, row in rows.items() if _holds(given["filter"], row["payload"])
                ]
                self.points[name] = {id: row for id, row in rows.items() if id not in gone}
                return _done({"operation_id": 1, "status": "completed"})
            case ["points", "count"]:
                assert given["exact"] is True
                return _done({"count": len(_matching(rows, given))})
            case ["points", "scroll"]:
                ids = sorted(_matching(rows, given))
                ids = [id for id in ids if id >= (given.get("offset") or "")]
                page, left = ids[: given["limit"]], ids[given["limit"] :]
                points = [_shown(rows[id], given) for id in page]
                return _done({"points": points, "next_page_offset": left[0] if left else None})
            case ["points", "query", "batch"]:
                found = [self.query(name, one) for one in given["searches"]]
                return _done([{"points": points} for points in found])
            case _:
                return 404, {"status": {"error": "/".join(call)}}

    def create(self, name: str, vectors: Any) -> Answer:
        if name in self.collections:
            return 409, {"status": {"error": f"Collection `{name}` already exists!"}}
        assert re.fullmatch(r"[^/]{1,255}", name)
        self.collections[name], self.points[name] = vectors, {}
        return _done(True)

    def described(self, name: str) -> Answer:
        hnsw = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000}
        config = {
            "params": {"vectors": self.collections[name]},
            "hnsw_config": hnsw,
            "optimizer_config": {"default_segment_number": 0, "flush_interval_sec": 5},
        }
        about = {"status": "green", "optimizer_status": "ok", "segments_count": 1}
        return _done({**about, "config": config, "payload_schema": {}})

    def drop(self, name: str) -> Answer:
        del self.collections[name], self.points[name]
        return _done(True)

    def upsert(self, name: str, batch: Mapping[str, Any]) -> Answer:
        [(using, vectors)] = batch["vectors"].items()
        size = self.collections[name][using]["size"]
        for id, vector in zip(batch["ids"], vectors, strict=True):
            assert str(uuid.UUID(id)) == id
            if len(vector) != size:
                return 400, {"status": {"error": f"Wrong input: expected dim: {size}"}}
        new = {
            id: {"id": id, "vector": {using: _float32(vector)}, "payload": payload}
            for id, vector, payload in zip(batch["ids"], vectors, batch["payloads"], strict=True)
        }
        self.points[name] = self.points[name] | new  # seen whole
        return _done({"operation_id": 1, "status": "completed"})

    def query(self, name: str, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        using, rows = given["using"], self.points[name]
        metric = METRICS[self.collections[name][using]["distance"]]
        chosen = {id: rows[id]["vector"][using] for id in _matching(rows, given)}
        query = given["query"]["nearest"] if isinstance(given["query"], dict) else given["query"]
        found = nearest(metric, _float32(query), chosen)[: given["limit"]]
        return [
            {**_shown(rows[id], given), "version": 1, "score": -away if metric == "dot" else away}
            for away, id in found
        ]


def _float32(vector: list[float]) -> list[float]:
    return np.array(vector, np.float32).astype(float).tolist()


def _done(result: Any) -> Answer:
    return 200, {"result": result, "status": "ok", "time": 0.0}


def _shown(point: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    wanted = given.get("with_payload")
    payload = point["payload"]
    if isinstance(wanted, list):
        payload = {key: payload[key] for key in wanted if key in payload}
    shown = {"id": point["id"], "payload": payload if wanted else None}
    if given.get("with_vector"):
        shown["vector"] = point["vector"]
    return shown


def _matching(rows: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    where = given.get("filter") or {}
    return [id for id, row in rows.items() if _holds(where, row["payload"])]


def _holds(where: Mapping[str, Any], payload: Mapping[str, Any]) -> bool:
    assert not where.keys() - {"must", "should", "must_not"}, where
    must, should, must_not = (
        [_condition(part, payload) for part in where.get(how) or ()]
        for how in ("must", "should", "must_not")
    )
    return all(must) and (not should or any(should)) and not any(must_not)


def _condition(given: Mapping[str, Any], payload: Mapping[str, Any]) -> bool:
    if "key" not in given:
        return _holds(given, payload)
    assert re.fullmatch(r"[a-z0-9_]+", given["key"]), "a key with other signs is a path"
    value = payload.get(given["key"])
    if match := given.get("match"):
        [(how, wanted)] = match.items()
        assert (how, type(wanted)) in (("value", str), ("value", bool)), "no float in `match`"
        return type(value) is type(wanted) and value == wanted
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    signs = {"gt": value.__gt__, "gte": value.__ge__, "lt": value.__lt__, "lte": value.__le__}
    return all(signs[sign](limit) for sign, limit in given["range"].items() if limit is not None)


@contextmanager
def qdrant_server() -> Iterator[str]:
    with serving(Qdrant().answer) as port:
        yield f"qdrant+http://127.0.0.1:{port}"
