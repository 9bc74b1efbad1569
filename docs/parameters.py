"""Writes docs/parameters.md: what becomes of each parameter of each call. Run by `make docs`.

The parameters are those of the newest official SDK's own types, so that one that we have never
heard of shows up as a gap; what becomes of them is read from the records (`records/`).
"""

import functools
import json
import subprocess
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from tunewright.api.call import Call
from tunewright.api.calls import CALLS
from tunewright.records.record import Request

HERE = Path(__file__).parent
PAGE = HERE / "parameters.md"
SDK = "3.54.0"
REFUSED, DONE, WITHOUT_EFFECT, OURS, GAP = "refused", "done", "no effect", "ours", "GAP"

HEAD = f"""# Parameters

Made by `make docs` from the records in `src/tunewright/records` and from the types of the official
SDK {SDK}; a test makes it again, compares, and asks a running server about each line.

- **done**: does what OpenAI's does.
- **no effect**: accepted, and changes nothing; the reason is given.
- **refused**: 400 `unsupported_parameter`, naming it. Values that ask for nothing are accepted.
- **ours**: not OpenAI's.

An optional parameter that is `null` is one that was left out, inside of others too.
"""


class Row(NamedTuple):
    """`path`: ``stream_options.include_usage``. `note`: the values, or a reason."""

    path: str
    state: str
    note: str


def sdk_parameters() -> dict[str, Any]:
    python = HERE.parent / ".sdk" / SDK / "bin" / "python"
    done = subprocess.run(
        [str(python), str(HERE / "sdk_parameters.py")], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@functools.cache
def tables() -> list[tuple[Call, list[Row]]]:
    """Every call that takes parameters, with what becomes of each."""
    theirs = sdk_parameters()
    return [
        (call, list(rows(kind, _beside_the_path(call, theirs.get(call.name, {})))))
        for call in CALLS
        if (kind := call.takes or call.form or call.query) and not call.optional
    ]


def _beside_the_path(call: Call, theirs: dict[str, Any]) -> dict[str, Any]:
    """The SDK's types have some of the path's parameters as well."""
    return {name: inner for name, inner in theirs.items() if f"{{{name}}}" not in call.path}


def rows(kind: type[Request], theirs: dict[str, Any], prefix: str = "") -> Iterator[Row]:
    fields = _fields(kind)
    for name in [*theirs, *(name for name in fields if name not in theirs)]:
        path = f"{prefix}{name}"
        yield Row(path, *_state(kind, name, name in theirs))
        inner = name in fields and _inner(fields[name].annotation)
        if inner and (theirs.get(name) or name not in theirs):
            yield from rows(inner, theirs.get(name) or {}, f"{path}.")


def _fields(kind: type[Request]) -> dict[str, FieldInfo]:
    """By the names that stand on the wire."""
    return {field.alias or name: field for name, field in kind.model_fields.items()}


def _state(kind: type[Request], name: str, known: bool) -> tuple[str, str]:
    if name in kind.without_effect:
        return WITHOUT_EFFECT, kind.without_effect[name]
    if name in _fields(kind):
        said = (_values(kind, name), _fields(kind)[name].description)
        return DONE if known else OURS, "; ".join(part for part in said if part)
    if name in kind.unsupported:
        nothing = ", ".join(f"`{json.dumps(value)}`" for value in kind.unsupported[name])
        but = f"but for {nothing}" if nothing else ""
        return REFUSED, "; ".join(part for part in (but, kind.instead.get(name)) if part)
    return GAP, "unknown to our records"


def _inner(annotation: Any) -> type[Request] | None:
    """The one request record that an annotation holds beside None, if it is nothing else."""
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    arms = typing.get_args(annotation) if union else (annotation,)
    arms = [arm for arm in arms if arm is not type(None)]
    only = arms[0] if len(arms) == 1 else None
    return only if isinstance(only, type) and issubclass(only, Request) else None


def _values(kind: type[Request], name: str) -> str:
    _, found = models_json_schema([(kind, "validation")])
    return _plain(found["$defs"][kind.__name__]["properties"][name])


def _plain(schema: dict[str, Any]) -> str:
    if arms := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(words for arm in arms if (words := _plain(arm))))
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        size = _bounds(schema.get("minItems"), schema.get("maxItems"))
        inner = schema.get("items", {})
        return f"list of {_plain(inner) or 'objects'}{size and f', {size} of them'}"
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    above = "above " if "exclusiveMinimum" in schema else ""
    size = str(low) if above else _bounds(low, high)
    size = size or _bounds(None, schema.get("maxLength"), " characters")
    words = {"null": "", "object": "object", None: "object"}
    kind = words.get(schema.get("type"), str(schema.get("type")))
    return f"{kind} {above}{size}".strip()


def _bounds(low: Any, high: Any, unit: str = "") -> str:
    if high is None:
        return f"from {low}" if low is not None else ""
    return f"{'' if low is None else low}{'-' if low is not None else 'up to '}{high}{unit}"


def page() -> str:
    lines = [HEAD]
    for call, found in tables():
        lines += [f"## {call.name}", "", f"`{call.method} {call.described}`", ""]
        lines += ["| parameter | | |", "|---|---|---|"]
        lines += [f"| `{row.path}` | {row.state} | {row.note} |" for row in found]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
