"""Fields of what a source gave. They may be anything: what is not of its kind counts as absent."""

from typing import Any

_MOST = 2**53  # beyond it JSON's numbers are no longer whole


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def number(value: Any) -> int | None:
    """A whole number from 0."""
    return value if type(value) is int and 0 <= value <= _MOST else None


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, at their places."""
    return [mapping(each) for each in value] if isinstance(value, list) else []
