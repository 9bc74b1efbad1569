"""Filters for Redis: of a user's keys and values only hexadecimal digits are in the language."""

import re

from tunewright.testing.vectors.both import KEYS, VALUES
from tunewright.vectors.databases.redis import said
from tunewright.vectors.filters import parse

SIGNS = re.compile(r"[-*()|{}@t: ]|[0-9a-f]{40}")


def test_nothing_of_a_user_is_in_the_language() -> None:
    seen: dict[str, object] = {}
    for key in [*KEYS, "a} | @t:{b", "*=>[KNN 1 @v $q]", "\\"]:
        for value in [*VALUES, "} | *", "-@t:{x}"]:
            parts = [{"type": op, "key": key, "value": value} for op in ("eq", "ne")]
            text = said(parse({"type": "or", "filters": parts}))
            assert SIGNS.sub("", text) == ""
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            meant = (key, "number" if number else type(value).__name__, value)
            assert seen.setdefault(text, meant) == meant, "equal ones of equal pairs only"
