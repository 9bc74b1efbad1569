"""From the columns of a table to an example."""

import datetime
import decimal
import math
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from tunewright.dataset.examples import CHAT_FORM, Form, faults
from tunewright.dataset.problems import kind, shown
from tunewright.errors import BadRequest

SEPARATOR = "\n\n###\n\n"
_ROLES = ("system", "developer", "user", "assistant")


class Refused(Exception):
    """A row of which no example can be made; its text says why and what to do."""


@dataclass(frozen=True)
class Columns:
    """Which columns become what.

    Either `prompt` and `completion`, or `messages`: one column that holds whole conversations, or
    ``role=column`` for each message. `to` is the form that is written. `system` opens each chat
    that has no system message of its own. Prompts of the completion form end in `separator`, so
    that the model sees where its part begins, and completions begin with a space.

    Raises BadRequest where the parts do not go together.
    """

    prompt: str | None = None
    completion: str | None = None
    messages: tuple[str, ...] = ()
    system: str | None = None
    to: Form = "chat"
    separator: str | None = None

    def __post_init__(self) -> None:
        pair = (self.prompt is not None, self.completion is not None)
        if self.messages and any(pair):
            raise _wrong("messages", "Give either messages, or prompt and completion.")
        if not self.messages and not all(pair):
            raise _wrong("prompt", "Name the columns: prompt and completion, or messages.")
        if self.to == "completion":
            self._check_completion()
        elif self.separator is not None:
            raise _wrong("separator", "Chats have no separator; their roles part the texts.")
        if len(self.messages) > 1 and None in [role for role, _ in self.parts]:
            example = "user=question assistant=answer"
            raise _wrong("messages", f"Say whose message each column is, as in {example}.")

    def _check_completion(self) -> None:
        if self.messages:
            raise _wrong("to", "Only prompt and completion become prompt/completion rows.")
        if self.system is not None:
            raise _wrong("system", "Prompt/completion rows have no system message.")

    @property
    def parts(self) -> list[tuple[str | None, str]]:
        """Role and column of each message; the role is None for a column of conversations."""
        if self.messages:
            return [_part(text) for text in self.messages]
        return [("user", self.prompt or ""), ("assistant", self.completion or "")]

    @property
    def names(self) -> list[str]:
        return [column for _, column in self.parts]

    def example(self, values: dict[str, Any]) -> dict[str, Any]:
        """The row to write: what the check has no fault with. Raises Refused."""
        row = self._completion(values) if self.to == "completion" else self._chat(values)
        for fault in faults(row, self.to):
            raise Refused(f"{fault.message} {fault.remedy} ({fault.path})")
        return row

    def _completion(self, values: dict[str, Any]) -> dict[str, Any]:
        prompt, completion = (_text(values, name) for name in self.names)
        ending = SEPARATOR if self.separator is None else self.separator
        return {
            "prompt": prompt if prompt.endswith(ending) else prompt + ending,
            "completion": completion if completion[0].isspace() else f" {completion}",
        }

    def _chat(self, values: dict[str, Any]) -> dict[str, Any]:
        messages: list[Any] = []
        for role, column in self.parts:
            if role is None:
                messages = _conversation(values, column)
            else:
                messages.append({"role": role, "content": _text(values, column)})
        if self.system is not None and not _opens_with_system(messages):
            messages.insert(0, {"role": "system", "content": self.system})
        return {"messages": messages}


def asked(row: dict[str, Any]) -> Any:
    """All of a row but its last answer."""
    return row["messages"][:-1] if "messages" in row else row["prompt"]


def _wrong(
    param: Literal["messages", "prompt", "separator", "system", "to"], what: str
) -> BadRequest:
    return BadRequest(what, param=param)


def _part(text: str) -> tuple[str | None, str]:
    role, equals, column = text.partition("=")
    return (role, column) if equals and role in _ROLES else (None, text)


def _opens_with_system(messages: list[Any]) -> bool:
    first = messages[0] if messages else None
    return isinstance(first, dict) and first.get("role") in ("system", "developer")


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


def _text(values: dict[str, Any], column: str) -> str:
    value = cell(values, column)
    text = text_of(value)
    if text is None:
        raise Refused(f"The column {shown(column)} holds {_kind(value)}, not text.")
    return text


def _kind(value: Any) -> str:
    return kind(value) if isinstance(value, list | dict) else f"a {type(value).__name__}"


def _conversation(values: dict[str, Any], column: str) -> list[Any]:
    value = cell(values, column)
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            what = f"The column {shown(column)} is not valid JSON: {error}."
            raise Refused(f"{what} Expected a list as in {CHAT_FORM}") from None
    if not isinstance(value, list):
        raise Refused(f"The column {shown(column)} is no list of messages.")
    return [_without_nothing(message) for message in value]


def _without_nothing(message: Any) -> Any:
    """Parquet gives each message of a column all keys that any of them has."""
    if not isinstance(message, dict):
        return message
    return {key: value for key, value in message.items() if value is not None}
