"""What can be wrong with a row, in words that say what to do."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong at `path` (JSON path, ``$`` is the row) of some row.

    Codes are those of OpenAI's cookbook where it has one: data_type, missing_messages_list,
    message_missing_key, message_unrecognized_key, unrecognized_role, missing_content,
    example_missing_assistant_message.
    """

    path: str
    code: str
    message: str
    remedy: str

    def at(self, line: int) -> "Problem":
        return Problem(line, self.path, self.code, self.message, self.remedy)


@dataclass(frozen=True, slots=True)
class Problem:
    """A Fault with its line, counted from 1."""

    line: int
    path: str
    code: str
    message: str
    remedy: str

    def __str__(self) -> str:
        where = f"line {self.line}" + ("" if self.path == "$" else f", {self.path}")
        return f"{where}: {self.message} {self.remedy}"


class Faulty(Exception):
    """Carries the fault of a row that cannot even be looked into."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def shown(text: str, longest: int = 40) -> str:
    """A piece of somebody's data for a message: short, quoted, on one line."""
    return repr(text if len(text) <= longest else text[: longest - 1] + "…")


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


def unknown_keys(value: dict[str, Any], known: set[str], path: str, code: str) -> Iterator[Fault]:
    for key in value:
        if key not in known:
            what = f"The key {shown(key)} is not one that we know here."
            remedy = f"Remove it; known are: {', '.join(sorted(known))}."
            yield Fault(step(path, key), code, what, remedy)
