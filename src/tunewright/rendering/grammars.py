"""What an answer may be, as llguidance's Lark writes it: JSON, calls, or text before calls."""

import json
import re
from collections.abc import Sequence
from typing import Any

from tunewright.rendering.calls import CallKeys, Path
from tunewright.rendering.schemas import Schema, closed
from tunewright.rendering.tool_use import ToolUse
from tunewright.rendering.turns import Tool

# Between the parts of the JSON: a line's break and its indent. Without a bound, a model that has
# nothing to say would go on in spaces for ever.
_WHITESPACE = r"\n? {0,16}"
MOST_BYTES = 256 * 1024  # of the schemas of an answer: the engine compiles no larger grammar
_SEAM = r"SEAM: /[ \n]{0,3}/"
_ID_PATTERNS = {"any": r"[a-zA-Z0-9_-]{1,40}", "nine": r"[a-zA-Z0-9]{9}"}


def json_answer(schema: Schema) -> str:
    """The grammar of an answer that is JSON of `schema`."""
    return f"start: {_json(schema)}"


def calling_answer(
    use: ToolUse, tools: Sequence[Tool], *, must_call: bool, one: bool, content: Schema | None
) -> str:
    """The grammar of an answer that may call `tools`: calls, else content.

    Content is JSON of a schema, or text, which may stand before calls too. The arguments hold to
    their function's parameters; where it is not strict, keywords that cannot be held to are passed
    over. `one`: at most one call.
    """
    written = _Written(use, one=one)
    rules = [f"calls: {written.calls(len(tools))}", _SEAM]
    for at, tool in enumerate(tools):
        rules += written.call(at, tool["function"])
    if must_call:
        start = ["start: calls"]
    elif content is not None:
        start = ["start: content | calls", f"content: {_json(content)}"]
    else:
        start = [f"start: TEXT | {written.text_before} calls", f"TEXT: {written.text}"]
    return "\n".join([*start, *rules])


class _Written:
    """The parts of calls as the template of one base writes them."""

    def __init__(self, use: ToolUse, *, one: bool) -> None:
        self._form, self._special, self._one = use.form, use.special, one
        self._id = _ID_PATTERNS[use.dialect.ids]

    @property
    def text_before(self) -> str:
        return "TEXT" if self._form.before else ""

    @property
    def text(self) -> str:
        """Any text that does not begin a call, nor spells what begins one."""
        opening = next(iter(self._pieces(self._form.before)), None)
        if opening is None:
            return rf"/(?s:.*)/ & ~/\s*{_exactly('[' if self._form.listed else '{')}(?s:.*)/"
        return f"/(?s:.*)/ & ~/(?s:.*){_exactly(opening)}(?s:.*)/"

    def calls(self, tools: int) -> str:
        form = self._form
        item = "(" + " | ".join(f"call_{at}" for at in range(tools)) + ")"
        between = '","' if form.listed else self._literal(form.between)
        if between and not self._one:
            item = f"{item} (SEAM {between} SEAM {item})*"
        if form.listed:
            item = f'"[" SEAM {item} SEAM "]"'
        before, after = self._literal(form.before), self._literal(form.after)
        group = " SEAM ".join(part for part in (before, item, after) if part)
        repeats = before and not between and not self._one
        return f"{group} (SEAM {group})*" if repeats else group

    def call(self, at: int, function: dict[str, Any]) -> list[str]:
        name, form = function["name"], self._form
        if form.keys is None:
            parts = (_quoted(name), self._literal(form.middle), f"arguments_{at}")
            written = " SEAM ".join(part for part in parts if part)
        else:
            written = self._object(form.keys, json.loads(form.keys.sample), (), name, at)
        return [f"call_{at}: {written}", f"arguments_{at}: {_arguments(function)}"]

    def _object(self, keys: CallKeys, value: Any, path: Path, name: str, at: int) -> str:
        """The JSON object of a call, with the keys that the template writes, in its order."""
        if path == keys.name:
            return _quoted(json.dumps(name))
        if path == keys.arguments:
            return f"arguments_{at}"
        if path == keys.id:
            return f'/"{self._id}"/'
        if not isinstance(value, dict):
            return _quoted(json.dumps(value, ensure_ascii=False))
        members = [
            f'{_quoted(json.dumps(key))} SEAM ":" SEAM '
            + self._object(keys, inner, (*path, key), name, at)
            for key, inner in value.items()
        ]
        return '"{" SEAM ' + ' SEAM "," SEAM '.join(members) + ' SEAM "}"'

    def _literal(self, text: str) -> str:
        ids = self._special
        return " ".join(f"<[{ids[p]}]>" if p in ids else _quoted(p) for p in self._pieces(text))

    def _pieces(self, text: str) -> list[str]:
        """Special tokens, and what stands between them."""
        longest_first = sorted(self._special, key=len, reverse=True)
        if not longest_first:
            return [text] if text else []
        pattern = "|".join(map(re.escape, longest_first))
        return [piece for piece in re.split(f"({pattern})", text) if piece]


def _json(schema: Schema, *, lenient: bool = False) -> str:
    options = {"whitespace_pattern": _WHITESPACE, "lenient": lenient}
    return "%json " + json.dumps({**closed(schema), "x-guidance": options}, ensure_ascii=False)


def _arguments(function: dict[str, Any]) -> str:
    # OpenAI: a function without parameters takes none.
    nothing = {"properties": {}, "additionalProperties": False}
    schema = {"type": "object", **(function.get("parameters") or nothing)}
    return _json(schema, lenient=not function.get("strict"))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _exactly(text: str) -> str:
    """A regular expression, between slashes, that matches only `text`."""
    return "".join(c if c.isalnum() and c.isascii() else rf"\x{{{ord(c):x}}}" for c in text)
