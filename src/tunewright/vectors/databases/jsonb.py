"""Filters and attributes in PostgreSQL's jsonb, whose numbers, texts and booleans are never equal
to each other; its order of texts is the database's, so they are compared as texts."""

from collections.abc import Mapping
from typing import Any

import orjson

from tunewright.vectors.filters import And, Comparison, Filter, Value

_ORDER = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_FEW = 16  # values that are looked up in the index of attributes, one by one


def compiled(where: Filter) -> tuple[str, list[Any]]:
    """A condition with a place for each parameter, and these. A comparison with what is missing is
    NULL, which matches nothing: no condition is negated but those that cannot be NULL."""
    if isinstance(where, Comparison):
        return _compared(where)
    parts = [compiled(part) for part in where.parts]
    values = [value for _, some in parts for value in some]
    if not parts:
        return ("true" if isinstance(where, And) else "false"), []
    how = " AND " if isinstance(where, And) else " OR "
    return "(" + how.join(text for text, _ in parts) + ")", values


def _compared(where: Comparison) -> tuple[str, list[Any]]:
    there, key = "(attributes -> %s::text)", text_of(where.key)
    if where.op in ("eq", "in") and len(where.values) <= _FEW:  # by the index
        pairs = [_json({key: _value(value)}) for value in where.values]
        return "(" + " OR ".join(["attributes @> %s::jsonb"] * len(pairs)) + ")", list(pairs)
    if where.op in ("in", "nin"):
        said = f"coalesce({there} = ANY(%s::text[]::jsonb[]), false)"
        return (said if where.op == "in" else f"NOT {said}"), [
            key,
            [_json(_value(value)) for value in where.values],
        ]
    [value] = where.values
    if where.op == "ne":
        return f"{there} IS DISTINCT FROM %s::jsonb", [key, _json(_value(value))]
    typed = f"jsonb_typeof({there}) = '{where.kinds[0]}'"
    if isinstance(value, str):
        # jsonb compares texts as the database's language does.
        said = f'(attributes ->> %s::text) COLLATE "C" {_ORDER[where.op]} %s::text'
        return f"({typed} AND {said})", [key, key, text_of(value)]
    return f"({typed} AND {there} {_ORDER[where.op]} %s::jsonb)", [key, key, _json(value)]


def text_of(text: str) -> str:
    """Without NUL, in the same order, and the same for no two texts."""
    return text.replace("\1", "\1\2").replace("\0", "\1\1")


def plain_of(text: str) -> str:
    return text.replace("\1\1", "\0").replace("\1\2", "\1")


def _value(value: Value) -> Value:
    return text_of(value) if isinstance(value, str) else value


def _json(said: Any) -> str:
    return orjson.dumps(said).decode()


def packed(attributes: Mapping[str, Any]) -> str:
    return _json({text_of(key): _value(value) for key, value in attributes.items()})


def unpacked(found: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers are doubles: jsonb writes a large one with all its digits, as a whole one."""
    return {
        plain_of(key): plain_of(value)
        if isinstance(value, str)
        else (value if isinstance(value, bool) else float(value))
        for key, value in found.items()
    }
