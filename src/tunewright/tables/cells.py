"""The cells of a table, as texts."""

import datetime
import decimal
import math
import re
from typing import Any

import orjson

from tunewright.tables.problems import Refused, kind, shown

_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")  # 1,234.5


def cell(values: dict[str, Any], column: str) -> Any:
    """Raises Refused where the row has no such column, or nothing in it."""
    if column not in values:
        names = ", ".join(map(str, values))
        raise Refused(f"The row has no column {shown(column)}. It has: {shown(names, 120)}.")
    value = values[column]
    nothing = value is None or (isinstance(value, float) and math.isnan(value))
    if nothing or (isinstance(value, str) and not value.strip()):
        raise Refused(f"The column {shown(column)} is empty.")
    return value


def text_of(value: Any) -> str | None:
    """How a value is written; None for what is no single value."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | decimal.Decimal):
        return str(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()  # a sheet knows no dates without a time
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else None


def number_of(value: Any) -> float | None:
    """A number, or a text that is one; None of anything else, and of what is not finite."""
    if value is None or isinstance(value, bool):
        return None
    text = (text_of(value) or "").strip()
    try:
        number = float(text.replace(",", "") if _GROUPED.fullmatch(text) else text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def written(value: Any) -> str:
    """As a cell of a CSV file would say it; lists and objects as JSON, nothing as nothing."""
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = text_of(value)
    return orjson.dumps(value, default=str).decode() if text is None else text


def text_at(values: dict[str, Any], column: str) -> str:
    value = cell(values, column)
    text = text_of(value)
    if text is None:
        raise Refused(f"The column {shown(column)} holds {_kind(value)}, not text.")
    return text


def _kind(value: Any) -> str:
    return kind(value) if isinstance(value, list | dict) else f"a {type(value).__name__}"
