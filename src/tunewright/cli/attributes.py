"""Attributes of files, and filters of searches, as they are typed in a command."""

import json
import re
from collections.abc import Iterable
from typing import Any

from tunewright.errors import BadRequest

_OPERATORS = {"=": "eq", "!=": "ne", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
_COMPARISON = re.compile(r"\s*(.+?)\s*(!=|>=|<=|=|>|<)(.*)", re.DOTALL)


def attributes(given: Iterable[str]) -> dict[str, Any]:
    """``KEY=VALUE`` each."""
    pairs = [text.partition("=") for text in given]
    for key, sign, value in pairs:
        if not (key.strip() and sign):
            raise BadRequest(
                f"'{key}{sign}{value}' is not an attribute: give KEY=VALUE, such as year=2024."
            )
    return {key.strip(): value_of(value) for key, _, value in pairs}


def filters(given: Iterable[str]) -> dict[str, Any] | None:
    """OpenAI's filter: of one, itself; of several, all of them must match."""
    found = [_filter(text) for text in given]
    if len(found) < 2:
        return found[0] if found else None
    return {"type": "and", "filters": found}


def _filter(text: str) -> dict[str, Any]:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise BadRequest(f"The filter is not valid JSON: {error}.", param="filter") from None
    if not (found := _COMPARISON.fullmatch(text)):
        raise BadRequest(
            f"'{text}' is not a filter. Give KEY=VALUE, or one of != > >= < <= between them; or a "
            "filter of OpenAI's in JSON.",
            param="filter",
        )
    key, sign, value = found.groups()
    return {"type": _OPERATORS[sign], "key": key, "value": value_of(value)}


def value_of(text: str) -> str | bool | float:
    """As JSON has it: a number, true or false, or a text in double quotes; else it is a text."""
    text = text.strip()
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str | bool | int | float) else text
