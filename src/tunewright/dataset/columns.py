"""From the columns of a table to an example."""

from dataclasses import dataclass
from typing import Any, Literal

import orjson

from tunewright.dataset.examples import CHAT_FORM, Form
from tunewright.dataset.layouts import as_chat, as_completion
from tunewright.errors import BadRequest
from tunewright.tables.cells import cell, text_at
from tunewright.tables.problems import Refused, shown

SEPARATOR = "\n\n###\n\n"
_ROLES = ("system", "developer", "user", "assistant")


@dataclass(frozen=True)
class Columns:
    """Which columns become what.

    Either `prompt` and `completion`, or `messages`: one column that holds whole conversations, or
    ``role=column`` for each message. With none of them each row is recognised by its own names
    (`layouts`). `to` is the form that is written. `system` opens each chat
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
        if not self.messages and any(pair) and not all(pair):
            raise _wrong("prompt", "Name both columns: prompt and completion.")
        if self.to == "completion":
            self._check_completion()
        elif self.separator is not None:
            raise _wrong(
                "separator",
                "Chats have no separator, because the roles separate the texts. Leave out "
                "--separator.",
            )
        if len(self.messages) > 1 and None in [role for role, _ in self.parts]:
            example = "user=question assistant=answer"
            raise _wrong("messages", f"Give the role of each column, as in {example}.")

    def _check_completion(self) -> None:
        if self.messages:
            raise _wrong("to", "Only prompt and completion become prompt/completion rows.")
        if self.system is not None:
            raise _wrong("system", "Prompt/completion rows have no system message.")

    @property
    def parts(self) -> list[tuple[str | None, str]]:
        """Role and column of each message; the role is None for a column of conversations."""
        if self.prompt is None or self.completion is None:
            return [_part(text) for text in self.messages]
        return [("user", self.prompt), ("assistant", self.completion)]

    @property
    def names(self) -> list[str]:
        return [column for _, column in self.parts]

    def example(self, values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
        """The row to write, and the keys that a recognised row has beside. Raises Refused."""
        if not self.names:
            return self._recognised(values)
        row = self._completion(values) if self.to == "completion" else self._chat(values)
        return row, set()

    def _recognised(self, values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
        if self.to == "completion":
            row, left = as_completion(values)
            is_ready = {"prompt", "completion"} <= values.keys() and self.separator is None
            return row if is_ready else row | self._framed(row["prompt"], row["completion"]), left
        row, left = as_chat(values)
        return self._opened(row), left

    def _completion(self, values: dict[str, Any]) -> dict[str, Any]:
        return self._framed(*(text_at(values, name) for name in self.names))

    def _framed(self, prompt: Any, completion: Any) -> dict[str, Any]:
        if not isinstance(prompt, str) or not isinstance(completion, str) or not completion:
            return {"prompt": prompt, "completion": completion}  # for the check to refuse
        if not prompt:  # of a mere text there is nothing to part
            return {"prompt": prompt, "completion": completion}
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
                messages.append({"role": role, "content": text_at(values, column)})
        return self._opened({"messages": messages})

    def _opened(self, row: dict[str, Any]) -> dict[str, Any]:
        messages = row["messages"]
        if self.system is None or _opens_with_system(messages):
            return row
        return row | {"messages": [{"role": "system", "content": self.system}, *messages]}


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


def _conversation(values: dict[str, Any], column: str) -> list[Any]:
    value = cell(values, column)
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            what = f"The column {shown(column)} is not valid JSON: {error}."
            raise Refused(f"{what} Expected a list as in {CHAT_FORM}") from None
    if not isinstance(value, list):
        raise Refused(f"The column {shown(column)} is not a list of messages.")
    return [_without_nothing(message) for message in value]


def _without_nothing(message: Any) -> Any:
    """Parquet gives each message of a column all keys that any of them has."""
    if not isinstance(message, dict):
        return message
    return {key: value for key, value in message.items() if value is not None}
