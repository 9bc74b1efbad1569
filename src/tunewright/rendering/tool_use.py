"""Does a template know tools, and how? Found once for a base, by rendering some and looking."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tunewright.errors import BadRequest
from tunewright.rendering.calls import ARGUMENTS, IDS, NAMES, CallForm, CallReader
from tunewright.rendering.dialogue import Chat, Dialogue
from tunewright.rendering.templates import ChatTemplate
from tunewright.rendering.turns import Dialect, Tool, Turn, turns

Shown: TypeAlias = Callable[[str], tuple[str, dict[str, int]]]

_USER = {"role": "user", "content": "aprobequestion"}
_RESULT = "aproberesult"
# As they come: of data made by hand, of Mistral's models, of OpenAI's, of other servers.
_IDS = ("7", "call_0", "aprobecal", "call_" + "aProbe99" * 3, "chatcmpl-tool-" + "0f" * 16)
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


def find(template: ChatTemplate, dialogue: Dialogue, shown: Shown) -> ToolUse | str:
    """How a template writes calls, or why tools cannot be used with it.

    `shown` is what a client would see of an answer, and the special tokens in it.
    """
    known = False
    for dialect in _DIALECTS if _shows_tools(template) else ():
        try:
            one = _said(dialogue, dialect, 1)
            known = known or _shows_results(template, dialect)
            fits = _takes_ids(template, dialect)
        except BadRequest:
            continue
        if known and fits and NAMES[0] in one:
            text, special = shown(one)
            form = CallForm.find(text, _both(dialogue, shown, dialect))
            if form is not None:
                return ToolUse(dialect, form, special)
    return NO_FORM if known else NO_TOOLS


def _said(dialogue: Dialogue, dialect: Dialect, calls: int) -> str:
    return dialogue.pair(Chat(_conversation(dialect, calls), _TOOLS))[1]


def _takes_ids(template: ChatTemplate, dialect: Dialect) -> bool:
    """Whether ids of all lengths are taken, and written whole if at all."""
    whole = [
        id in template.render(_answered(dialect, id), answer=True, tools=_TOOLS)
        for id in (_IDS if dialect.ids == "any" else ())
    ]
    return len(set(whole)) <= 1


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
    asked = _answered(dialect, IDS[dialect.ids][0])
    text = template.render(asked, answer=True, tools=_TOOLS)
    return NAMES[0] in text and _RESULT in text


def _answered(dialect: Dialect, id: str) -> list[Turn]:
    """A call with this id, and what it gave."""
    called = _conversation(dialect, 1)
    called[-1]["tool_calls"][0]["id"] = id
    result = {"role": "tool", "name": NAMES[0], "tool_call_id": id, "content": _RESULT}
    return [*called, result]


def _both(dialogue: Dialogue, shown: Shown, dialect: Dialect) -> str | None:
    """An answer of two calls; None where the template takes a single one."""
    try:
        text = _said(dialogue, dialect, 2)
    except BadRequest:
        return None
    return shown(text)[0] if NAMES[1] in text else None


def _conversation(dialect: Dialect, calls: int) -> list[Turn]:
    made = [
        {"id": id, "function": {"name": name, "arguments": json.dumps(arguments)}}
        for id, name, arguments in zip(IDS[dialect.ids], NAMES, ARGUMENTS, strict=True)
    ]
    return turns([_USER, {"role": "assistant", "tool_calls": made[:calls]}], dialect)
