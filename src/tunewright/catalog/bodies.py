"""The JSON that a record is kept as: what stays in it, and what can be asked of it."""

import json
from collections.abc import Iterator
from typing import Any, Literal

from sqlalchemy import Column, ColumnElement, exists, func, select

from tunewright.records.record import Record


def columns(record: Record) -> dict[str, Any]:
    """Of its table: those that it is searched by, and the whole."""
    searched = {field: getattr(record, field) for field in record.searched}
    return {**searched, "body": record.model_dump_json()}


def carried(body: str, before: Record, after: Record) -> str:
    """`after` as JSON, with what `body` holds beyond `before`."""
    new = after.model_dump(mode="json")
    whole = _beyond(json.loads(body), before.model_dump(mode="json"), new)
    return after.model_dump_json() if whole == new else json.dumps(whole)


def _beyond(raw: Any, known: Any, new: Any) -> Any:
    if not (isinstance(raw, dict) and isinstance(known, dict) and isinstance(new, dict)):
        return new
    merged = {key: value for key, value in raw.items() if key not in known} | new
    for key in raw.keys() & known.keys() & new.keys():
        merged[key] = _beyond(raw[key], known[key], new[key])
    return merged


def of_metadata(
    body: Column[str], wanted: dict[str, str] | Literal["null"] | None
) -> Iterator[ColumnElement[bool]]:
    """Keys and values are bound, never part of a JSON path: they are the client's own text."""

    def pairs() -> Any:  # afresh for each: two conditions may be met by two pairs
        return (
            func.json_each(func.nullif(body, ""), "$.metadata").table_valued("key", "value").alias()
        )

    if wanted == "null":
        held = pairs()
        yield ~exists(select(held.c.key).where(held.c.key.is_not(None)))  # null has one row
        return
    for key, value in (wanted or {}).items():
        held = pairs()
        yield exists(select(held.c.key).where(held.c.key == key, held.c.value == value))
