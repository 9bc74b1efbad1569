"""What can be wrong with a row, in words that say what to do."""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Any

import orjson

from tunewright.records.findings import Finding, Severity

__all__ = [
    "AS_TEXT",
    "Fault",
    "Faulty",
    "Finding",
    "Refused",
    "Severity",
    "kind",
    "shown",
    "step",
    "unknown_keys",
]

AS_TEXT = "Write it as text, in quotes."
_EXCERPT = 80
_STEPS = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong at `path` (JSON path, ``$`` is the row) of some row.

    Codes are those of OpenAI's cookbook where it has one: data_type, missing_messages_list,
    message_missing_key, message_unrecognized_key, unrecognized_role, missing_content,
    example_missing_assistant_message. `byte`: where in the line, if not at its beginning.
    """

    path: str
    code: str
    message: str
    remedy: str
    byte: int = 0
    excerpt: str = ""

    def finding(self, line: int, offset: int, row: Any = None) -> Finding:
        """With its line, counted from 1, which begins at byte `offset` of the file."""
        return Finding(
            code=self.code,
            severity="error",
            message=self.message,
            remedy=self.remedy,
            line=line,
            path=self.path,
            offset=offset + self.byte,
            excerpt=self.excerpt or excerpt(row, self.path),
        )


class Faulty(Exception):
    """Carries the fault of a row that cannot even be looked into."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Refused(Exception):
    """A row of which no example can be made; its text says why and what to do."""


def shown(text: str, longest: int = 40) -> str:
    """A piece of somebody's data for a message: short, quoted, on one line."""
    return repr(text if len(text) <= longest else text[: longest - 1] + "…")


def excerpt(row: Any, path: str) -> str:
    """What stands at `path` of a row, or at the nearest place above it, short and on one line."""
    value = row
    for key, index in _STEPS.findall(path):
        inner = _at(value, key, index)
        if inner is None:
            break
        value = inner
    if value is None:
        return ""
    return shown(value if isinstance(value, str) else orjson.dumps(value).decode(), _EXCERPT)


def _at(value: Any, key: str, index: str) -> Any:
    if key:
        return value.get(key) if isinstance(value, dict) else None
    at = int(index)
    return value[at] if isinstance(value, list) and at < len(value) else None


def step(path: str, key: str | int) -> str:
    """The JSON path of an item; keys are somebody's data, so only plain ones are written plainly.

    >>> step(step("$", "messages"), 2)
    '$.messages[2]'
    """
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if key.isidentifier() and len(key) < 40 else f"{path}[{shown(key)}]"


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    names = {str: "text", bool: "true or false", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), "a number")


def unknown_keys(value: dict[str, Any], known: Set[str], path: str, code: str) -> Iterator[Fault]:
    for key in value:
        if key not in known:
            what = f"The key {shown(key)} is not known here."
            remedy = f"Remove it. Known keys: {', '.join(sorted(known))}."
            yield Fault(step(path, key), code, what, remedy)
