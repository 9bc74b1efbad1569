"""Does a template know tools, and how? Found once for a base, by rendering some and looking."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tunewright.errors import BadRequest
from tunewright.rendering.calls import ARGUMENTS, IDS, NAMES, CallForm, CallReader
from tunewright.rendering.templates import ChatTemplate
from tunewright.rendering.turns import Dialect, Tool, Turn, turns

Said: TypeAlias = Callable[[Sequence[Turn], Sequence[Tool]], str]
Shown: TypeAlias = Callable[[str], tuple[str, dict[str, int]]]

_USER = {"role": "user", "content": "aprobequestion"}
_RESULT = "aproberesult"
_TOOLS: list[Tool] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "aprobedescription",
            "parameters": {"type": "object", "properties": {key: {"type": "string"}}},
        },
    }
    for name, key in zip(NAMES, ("aprobekey", "bprobekey"), strict=True)
]
NO_TOOLS = (
    "This model's chat template knows no tools: it would not show them to the model. Leave tools "
    "and calls out, or take a base whose template knows them."
)
NO_FORM = (
    "This model's chat template writes calls in a form that cannot be read back from an answer. "
    "Leave tools and calls out, or take another base."
)


@dataclass(frozen=True, slots=True)
class ToolUse:
    """`special`: ids of the tokens in a call's text that no text spells; detokenisers show them."""

    dialect: Dialect
    form: CallForm
    special: Mapping[str, int]

    def reader(self, names: Sequence[str]) -> CallReader:
        return CallReader(self.form, frozenset(names))


def find(template: ChatTemplate, said: Said, shown: Shown) -> ToolUse | str:
    """How a template writes calls, or why tools cannot be used with it.

    `said` is the text of the last turn as the template writes it after its prompt; `shown` what a
    client would see of it, and the special tokens in it.
    """
    known = False
    for dialect in _DIALECTS if _shows_tools(template) else ():
        try:
            one = said(_conversation(dialect, 1), _TOOLS)
            known = known or _shows_results(template, dialect)
        except BadRequest:
            continue
        if known and NAMES[0] in one:
            text, special = shown(one)
            form = CallForm.find(text, _both(said, shown, dialect))
            if form is not None:
                return ToolUse(dialect, form, special)
    return NO_FORM if known else NO_TOOLS


_DIALECTS = [
    Dialect(content, arguments, ids)
    for content in ("absent", "empty", "null")
    for arguments in ("object", "text")
    for ids in ("any", "nine")
]


def _shows_tools(template: ChatTemplate) -> bool:
    try:
        text = template.render([_USER], answer=True, tools=_TOOLS)
    except BadRequest:
        return False
    return NAMES[0] in text and "aprobekey" in text


def _shows_results(template: ChatTemplate, dialect: Dialect) -> bool:
    """Whether a conversation goes on with what a call gave."""
    name, id = NAMES[0], IDS[dialect.ids][0]
    result = {"role": "tool", "name": name, "tool_call_id": id, "content": _RESULT}
    text = template.render([*_conversation(dialect, 1), result], answer=True, tools=_TOOLS)
    return name in text and _RESULT in text


def _both(said: Said, shown: Shown, dialect: Dialect) -> str | None:
    """An answer of two calls; None where the template takes a single one."""
    try:
        text = said(_conversation(dialect, 2), _TOOLS)
    except BadRequest:
        return None
    return shown(text)[0] if NAMES[1] in text else None


def _conversation(dialect: Dialect, calls: int) -> list[Turn]:
    made = [
        {"id": id, "function": {"name": name, "arguments": json.dumps(arguments)}}
        for id, name, arguments in zip(IDS[dialect.ids], NAMES, ARGUMENTS, strict=True)
    ]
    return turns([_USER, {"role": "assistant", "tool_calls": made[:calls]}], dialect)
