"""Filters over typed columns: what `filters.matches` says of each set, while sets are added too."""

import random
from typing import Any

import orjson

from tunewright.vectors.filters import matches, parse
from tunewright.vectors.local.columns import Columns

VALUES: list[Any] = [True, False, 0, -0.0, 1, 1.5, -2, "", "1", "true", "b", "é", "e\u0301", "🧵"]
KEYS = ["k", "ключ", "nowhere"]


def tree(chance: random.Random, depth: int = 0) -> dict[str, Any]:
    if depth < 3 and chance.random() < 0.4:
        parts = [tree(chance, depth + 1) for _ in range(chance.randint(0, 3))]
        return {"type": chance.choice(["and", "or"]), "filters": parts}
    op = chance.choice(["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"])
    several = op in ("in", "nin")
    value = chance.choices(VALUES, k=chance.randint(0, 6)) if several else chance.choice(VALUES)
    return {"type": op, "key": chance.choice(KEYS), "value": value}


def test_every_filter_means_the_same_in_columns() -> None:
    chance = random.Random(1)
    filters = [parse(tree(chance)) for _ in range(300)]
    sets: list[bytes] = []
    columns, known = Columns(sets), []
    for _ in range(12):  # more pieces of a column than are kept apart
        known += [
            {key: chance.choice(VALUES) for key in KEYS[:2] if chance.random() < 0.7}
            for _ in range(15)
        ]
        sets += [orjson.dumps(attributes) for attributes in known[len(sets) :]]
        for where in filters:
            wanted = [matches(where, attributes) for attributes in known]
            assert columns.matched(where).tolist() == wanted, where
