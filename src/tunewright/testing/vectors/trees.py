"""Thousands of filters at random: no two alike, most of several comparisons, few that say nothing.

Hypothesis finds the odd ones and makes a wrong one small, but of what it draws half is the same
again, and each costs as much as asking an index.
"""

import random
from collections.abc import Sequence
from functools import cache
from typing import Any

from tunewright.testing.vectors.both import VALUES
from tunewright.vectors.filters import parse

OPERATORS = ["eq", "ne", "gt", "gte", "lt", "lte"]
_DEEPEST = 4
_FEW = 0.02  # share of lists that are empty


@cache
def distinct_trees(count: int, keys: tuple[str, ...], seed: int = 0) -> list[dict[str, Any]]:
    """In OpenAI's JSON; the first of more are the same."""
    chance, found = random.Random(seed), dict[str, dict[str, Any]]()
    while len(found) < count:
        made = _tree(chance, keys, depth=1)
        found.setdefault(repr(parse(made)), made)
    return list(found.values())


def _tree(chance: random.Random, keys: Sequence[str], depth: int) -> dict[str, Any]:
    if depth == _DEEPEST or chance.random() < 0.25 * depth:
        return _comparison(chance, keys)
    parts = [_tree(chance, keys, depth + 1) for _ in range(_length(chance, 4))]
    return {"type": chance.choice(["and", "or"]), "filters": parts}


def _comparison(chance: random.Random, keys: Sequence[str]) -> dict[str, Any]:
    key = chance.choice(keys)
    if chance.random() < 0.25:
        values = [chance.choice(VALUES) for _ in range(_length(chance, 6))]
        return {"type": chance.choice(["in", "nin"]), "key": key, "value": values}
    return {"type": chance.choice(OPERATORS), "key": key, "value": chance.choice(VALUES)}


def _length(chance: random.Random, most: int) -> int:
    return 0 if chance.random() < _FEW else chance.randint(1, most)
