"""What every vector index must answer, in plain Python: each row compared with each query, each
filter evaluated as OpenAI writes it. It shares nothing with the code that it judges."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

TIE = 1e-6
"""Distances this close are equal: the order of their rows is that of the ids."""


def same(one: Any, other: Any) -> bool:
    """1 is 1.0; no boolean is a number, and no number a string."""
    kinds = [
        bool if isinstance(x, bool) else str if isinstance(x, str) else float for x in (one, other)
    ]
    return kinds[0] is kinds[1] and one == other


def holds(given: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """Whether a row with these attributes is meant by a filter in OpenAI's JSON."""
    if given["type"] in ("and", "or"):
        found = [holds(part, attributes) for part in given["filters"]]
        return all(found) if given["type"] == "and" else any(found)
    op, value, missing = given["type"], given["value"], given["key"] not in attributes
    if op in ("ne", "nin"):
        return not holds({**given, "type": {"ne": "eq", "nin": "in"}[op]}, attributes)
    if missing:
        return False
    there = attributes[given["key"]]
    if op == "eq":
        return same(there, value)
    if op == "in":
        return any(same(there, one) for one in value)
    if (
        isinstance(there, bool)
        or isinstance(value, bool)
        or isinstance(there, str) != isinstance(value, str)
    ):
        return False
    return {"gt": there > value, "gte": there >= value, "lt": there < value, "lte": there <= value}[
        op
    ]


def distance(metric: str, query: Sequence[float], row: Sequence[float]) -> float:
    product = math.fsum(a * b for a, b in zip(query, row, strict=True))
    if metric == "dot":
        return -product
    if metric == "euclidean":
        return math.dist(query, row)
    return 1 - product / (math.hypot(*query) * math.hypot(*row))


def score(metric: str, distance: float) -> float:
    if metric == "euclidean":
        return 1 / (1 + distance)
    return -distance if metric == "dot" else max(0.0, 1 - distance)


class Reference:
    """One collection: id -> (vector, attributes)."""

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self.rows: dict[str, tuple[Sequence[float], Mapping[str, Any]]] = {}

    def upsert(
        self, ids: Sequence[str], vectors: Any, attributes: Sequence[Mapping[str, Any]]
    ) -> None:
        for number, id in enumerate(ids):
            vector = self.rows[id][0] if vectors is None else [float(x) for x in vectors[number]]
            self.rows[id] = vector, attributes[number]

    def matching(self, where: Mapping[str, Any] | None) -> list[str]:
        return sorted(id for id, row in self.rows.items() if where is None or holds(where, row[1]))

    def delete(
        self, ids: Sequence[str] | None = None, where: Mapping[str, Any] | None = None
    ) -> None:
        for id in self.matching(where) if ids is None else ids:
            self.rows.pop(id, None)

    def nearest(self, query: Any, k: int, among: Sequence[str]) -> list[tuple[str, float]]:
        """The k nearest of these ids with their distances."""
        floats = [*map(float, query)]
        found = [(distance(self.metric, floats, self.rows[id][0]), id) for id in among]
        ordered: list[list[tuple[float, str]]] = []
        for one in sorted(found):
            if ordered and one[0] - ordered[-1][-1][0] <= TIE:
                ordered[-1].append(one)
            else:
                ordered.append([one])
        ranked = [one for tied in ordered for one in sorted(tied, key=lambda one: one[1])]
        return [(id, away) for away, id in ranked[:k]]
