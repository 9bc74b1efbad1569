"""Typesense as typesense.org/docs describes its API, version 27.

/collections                        "Collections": schema, metadata, fields by a pattern (`n_.*`)
/collections/{name}/documents       "Documents": import of JSON lines, deletion by a filter
/multi_search                       "Vector search" (`vector_query`, k, 250 hits a page), "Search"
                                    (filter_by, sort_by, include_fields, page)
filters                             "Filter parameters": `:=` of a text compares its words without
                                    case and signs, lists in [], `!=`, `&&`, `||`, brackets, at most
                                    100 comparisons. A field by a pattern that no document has had
                                    is unknown (issue 1948 of Typesense); whether `!=` matches a
                                    document without the field is not asked here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from database_stubs import Answer, Request, nearest, serving

from tunewright.testing.vectors.reference import holds

TOKENS = re.compile(r"\s*(&&|\|\||\(|\)|(\w+):\s*(!=|>=|<=|>|<|=)?\s*(\[[^\]]*\]|[\w-]+))")
RANGES = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}


class Refused(Exception):
    pass


class Typesense:
    def __init__(self) -> None:
        self.collections: dict[str, dict[str, Any]] = {}
        self.documents: dict[str, dict[str, dict[str, Any]]] = {}

    def answer(self, request: Request) -> Answer:
        if request.headers.get("X-TYPESENSE-API-KEY") != "the-key":
            return 401, {"message": "Forbidden - a valid `x-typesense-api-key` must be sent."}
        try:
            return self.answered(request)
        except Refused as refused:
            return 400, {"message": str(refused)}

    def answered(self, request: Request) -> Answer:
        match request.method, request.path:
            case "POST", ["collections"]:
                return self.create(request.json())
            case "GET", ["collections"]:
                return 200, list(self.collections.values())
            case "POST", ["multi_search"]:
                return 200, {"results": [self.search(one) for one in request.json()["searches"]]}
            case _, ["collections", name, *_] if name not in self.collections:
                return 404, {"message": "Not Found"}
            case "GET", ["collections", name]:
                return 200, self.collections[name]
            case "DELETE", ["collections", name]:
                self.documents.pop(name)
                return 200, self.collections.pop(name)
            case "POST", ["collections", name, "documents", "import"]:
                return self.imported(name, request.body)
            case "DELETE", ["collections", name, "documents"]:
                [where] = request.query["filter_by"]
                if len(where) > 4000:
                    raise Refused("Query string exceeds max allowed length of 4000.")
                gone = self.matching(name, where)
                rows = self.documents[name]
                self.documents[name] = {id: row for id, row in rows.items() if id not in gone}
                return 200, {"num_deleted": len(gone)}
            case _:
                return 404, {"message": "Not Found"}

    def create(self, schema: dict[str, Any]) -> Answer:
        if schema["name"] in self.collections:
            return 409, {"message": f"A collection with name `{schema['name']}` already exists."}
        self.documents[schema["name"]] = {}
        self.collections[schema["name"]] = schema
        return 201, schema

    def imported(self, name: str, body: bytes) -> Answer:
        given = [json.loads(line) for line in body.decode().split("\n")]
        fields = {field["name"]: field for field in self.collections[name]["fields"]}
        results = [self.checked(one, fields) for one in given]
        good = {
            one["id"]: one for one, result in zip(given, results, strict=True) if result["success"]
        }
        self.documents[name] = self.documents[name] | good
        return 200, "\n".join(map(json.dumps, results)).encode()

    def checked(self, row: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
        size = fields["vector"].get("num_dim")
        if size and len(row["vector"]) != size:
            return {"success": False, "error": f"Field `vector` must have {size} dimensions."}
        for key, value in row.items():
            if key.startswith("n_") and not -(2**63) <= value < 2**63:
                return {"success": False, "error": f"Field `{key}` must be an int64."}
        return {"success": True}

    def search(self, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.searched(asked)
        except Refused as refused:
            return {"code": 400, "error": str(refused)}

    def searched(self, asked: dict[str, Any]) -> dict[str, Any]:
        name, most = asked["collection"], int(asked.get("per_page", 10))
        if name not in self.collections:
            return {"code": 404, "error": "Not found."}
        if most > 250:
            raise Refused("Only upto 250 hits can be fetched per page.")
        matching = self.matching(name, asked["filter_by"])
        if "vector_query" in asked:
            hits = self.nearest(name, matching, asked["vector_query"])
        else:
            rows = sorted(matching.values(), key=lambda row: row["place"])
            hits = [{"document": row} for row in rows]
        start = most * (int(asked.get("page", 1)) - 1)
        kept = asked.get("include_fields")
        shown = [
            hit | {"document": picked(hit["document"], kept)} for hit in hits[start : start + most]
        ]
        return {"found": len(hits), "hits": shown}

    def nearest(self, name: str, matching: Mapping[str, Any], asked: str) -> list[dict[str, Any]]:
        numbers, k = re.fullmatch(r"vector:\(\[(.*)\], k:(\d+), .*\)", asked).groups()  # type: ignore[union-attr]
        query = [float(number) for number in numbers.split(",")]
        fields = {field["name"]: field for field in self.collections[name]["fields"]}
        if "num_dim" not in fields["vector"]:
            raise Refused("Field `vector` is not in the vector index.")
        if len(query) != fields["vector"]["num_dim"]:
            raise Refused("Query field `vector` has another number of dimensions.")
        metric = {"ip": "dot", "cosine": "cosine"}[fields["vector"]["vec_dist"]]
        rows = {id: row["vector"] for id, row in matching.items()}
        return [
            {"document": matching[id], "vector_distance": away + (metric == "dot")}
            for away, id in nearest(metric, query, rows)[: int(k)]
        ]

    def matching(self, name: str, where: str) -> dict[str, dict[str, Any]]:
        rows = self.documents[name]
        known = {key for row in rows.values() for key in row}
        known |= {field["name"] for field in self.collections[name]["fields"]} | {"id"}
        if not where:
            return rows
        tree = Reader(where, known).read()
        return {id: row for id, row in rows.items() if evaluated(tree, row)}


class Reader:
    """filter_by -> ("and" | "or", parts) or (field, sign, values)."""

    def __init__(self, text: str, known: set[str]) -> None:
        self.tokens: list[tuple[str, ...]] = []
        self.known, at = known, 0
        while at < len(text.rstrip()):
            found = TOKENS.match(text, at)
            if found is None:
                raise Refused(f"Could not parse the filter query: {text[at : at + 50]}")
            self.tokens.append(found.groups(""))
            at = found.end()
        if sum(bool(token[1]) for token in self.tokens) > 102:
            raise Refused("Number of filter operations exceeds the limit.")

    def read(self) -> Any:
        tree = self.joined()
        if self.tokens:
            raise Refused("Could not parse the filter query.")
        return tree

    def joined(self) -> Any:
        """`&&` binds more than `||`."""
        parts = [[self.one()]]
        while self.tokens and self.tokens[0][0] in ("&&", "||"):
            if self.tokens.pop(0)[0] == "&&":
                parts[-1].append(self.one())
            else:
                parts.append([self.one()])
        return "or", [("and", part) for part in parts]

    def one(self) -> Any:
        if not self.tokens:
            raise Refused("Could not parse the filter query.")
        text, field, sign, value = self.tokens.pop(0)
        if text == "(":
            tree = self.joined()
            if not self.tokens or self.tokens.pop(0)[0] != ")":
                raise Refused("Could not parse the filter query: unbalanced parentheses.")
            return tree
        if not field:
            raise Refused("Could not parse the filter query.")
        if field not in self.known:
            raise Refused(f"Could not find a filter field named `{field}` in the schema.")
        return field, sign, [one.strip() for one in value.strip("[]").split(",")]


def evaluated(tree: Any, row: Mapping[str, Any]) -> bool:
    if tree[0] in ("and", "or"):
        parts = [evaluated(part, row) for part in tree[1]]
        return all(parts) if tree[0] == "and" else any(parts)
    field, sign, values = tree
    if sign in RANGES:
        where = {"type": RANGES[sign], "key": field, "value": int(values[0])}
        return holds(where, row)
    there = row.get(field, [])
    words = {spelled(one) for one in (there if isinstance(there, list) else [there])}
    found = any(spelled(value) in words for value in values)
    return not found if sign == "!=" else found


def spelled(text: Any) -> str:
    """As Typesense compares texts."""
    return re.sub(r"[^\w]|_", "", str(text)).lower()


def picked(row: Mapping[str, Any], fields: str | None) -> dict[str, Any]:
    return {key: row[key] for key in (fields.split(",") if fields else row) if key in row}


@contextmanager
def typesense() -> Iterator[str]:
    with serving(Typesense().answer) as port:
        yield f"typesense+http://127.0.0.1:{port}"
