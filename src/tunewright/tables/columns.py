"""The columns of a table whose rows name their own, and of each the type that fits all values."""

import datetime
from collections.abc import Iterable
from typing import Any

_TYPES: dict[type, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    datetime.date: "date",
    datetime.datetime: "time",
}
_EXACT = 2**53  # beyond it a float64 does not hold every whole number
_WIDER: dict[frozenset[str], str] = {
    frozenset(("whole number", "number")): "number",
    frozenset(("whole number", "large number")): "large number",
}


def types_of(rows: Iterable[dict[str, Any]]) -> dict[str, str]:
    """By column, in the order of their first appearance: "text", "whole number", "large number"
    (whole, and of 64 bits), "number", "true or false", "date" or "time". What is of several kinds,
    or of another one, is text."""
    found: dict[str, str | None] = {}
    for row in rows:
        for name, value in row.items():
            known = found.get(name)
            if known == "text":
                continue
            kind = None if value is None else _kind(value)
            found[name] = known if kind is None else _both(known, kind)
    return {name: kind or "text" for name, kind in found.items()}


def _kind(value: Any) -> str:
    if type(value) is int and not -_EXACT <= value <= _EXACT:
        return "large number" if -(2**63) <= value < 2**63 else "text"
    return _TYPES.get(type(value), "text")


def _both(known: str | None, kind: str) -> str:
    if known is None or known == kind:
        return kind
    return _WIDER.get(frozenset((known, kind)), "text")
