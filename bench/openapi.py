"""How far our OpenAPI document agrees with OpenAI's published one.

    .venv/bin/python bench/openapi.py openapi.yaml [PREFIX ...]

PREFIX: of paths, /vector_stores by default.

OpenAI's document is read, never kept: github.com/openai/openai-openapi has it. Each of its
operations, parameters, fields and alternatives below those paths is one check. What a client may
send must be accepted here: the same types, every value of an enumeration, no bound that is tighter,
nothing more that is required. What is answered must be what OpenAI describes: no other type, no
other value, nothing required left out, nothing beside it where it says that there is nothing else.
Fields of ours beside those are fine, and so are bounds where OpenAI's document has none (its text
has them for metadata): they are listed by themselves.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunewright.api.openapi import document

Schema = dict[str, Any]
BOUNDS = {  # and whether a larger one is the tighter one
    "minimum": True,
    "minLength": True,
    "minItems": True,
    "maximum": False,
    "maxLength": False,
    "maxItems": False,
    "maxProperties": False,
}


class Document:
    """One of the two, with its references followed."""

    def __init__(self, whole: Schema, base: str = "") -> None:
        self._whole = whole
        self._base = base

    def operations(self, prefix: str) -> Iterator[tuple[str, str, Schema]]:
        for path, item in self._whole["paths"].items():
            short = path.removeprefix(self._base)
            if short == prefix or short.startswith(f"{prefix}/"):
                yield from ((short, method, item[method]) for method in item if method in METHODS)

    def operation(self, path: str, method: str) -> Schema | None:
        found = self._whole["paths"].get(self._base + path, {})
        return found.get(method)

    def arms(self, schema: Schema | None) -> list[Schema]:
        """The alternatives that a schema stands for: of one type each, references followed."""
        if schema is None:
            return []
        if "$recursiveRef" in schema:  # what it stands in, which is being compared already
            return []
        if "$ref" in schema:
            return self.arms(self.named(schema["$ref"]))
        if schema.get("nullable"):
            rest = {k: v for k, v in schema.items() if k != "nullable"}
            return [*(self.arms(rest) if rest else []), {"type": "null"}]
        if parts := schema.get("allOf"):
            return [arm for part in parts for arm in self.arms(part)]
        if parts := schema.get("anyOf", schema.get("oneOf")):
            if not any("type" in part or "$ref" in part or "enum" in part for part in parts):
                return self._plain(schema)  # which fields are required together
            return [arm for part in parts for arm in self.arms(part)]
        return self._plain(schema)

    def named(self, reference: str) -> Schema:
        found: Any = self._whole
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        return found

    @staticmethod
    def _plain(schema: Schema) -> list[Schema]:
        if "const" in schema:
            schema = {**schema, "enum": [schema["const"]]}
        types = schema.get("type", "object" if "properties" in schema else None)
        if isinstance(types, list):
            return [{**schema, "type": each} for each in types]
        return [{**schema, "type": types}]


METHODS = ("get", "post", "put", "patch", "delete")


class Comparison:
    def __init__(self, theirs: Document, ours: Document) -> None:
        self._theirs, self._ours = theirs, ours
        self.checks = 0
        self.differences: list[str] = []
        self.tighter: list[str] = []

    def run(self, prefix: str) -> None:
        for path, method, operation in self._theirs.operations(prefix):
            name = f"{method.upper()} {path}"
            found = self._ours.operation(path, method)
            if self._check(found is not None, name, "is not offered") and found:
                self._operation(name, operation, found)

    def _check(self, good: bool, where: str, what: str) -> bool:
        self.checks += 1
        if not good:
            self.differences.append(f"{where}: {what}")
        return good

    def _operation(self, name: str, theirs: Schema, ours: Schema) -> None:
        known = {(p["name"], p["in"]): p for p in ours.get("parameters", [])}
        for wanted in theirs.get("parameters", []):
            where, found = f"{name} ?{wanted['name']}", known.get((wanted["name"], wanted["in"]))
            if self._check(found is not None, where, "is not taken") and found:
                more = bool(found.get("required")) and not wanted.get("required")
                self._check(not more, where, "is required")
                self._sent(where, wanted["schema"], found["schema"])
        for wanted, found in zip(_bodies(theirs), _bodies(ours), strict=True):
            self._sent(f"{name} body", wanted, found)
        self._given(f"{name} answer", _answer(theirs), _answer(ours))

    def _sent(self, where: str, theirs: Schema, ours: Schema) -> None:
        """Every alternative of theirs fits into one of ours."""
        mine = self._ours.arms(ours)
        for arm in self._theirs.arms(theirs):
            self._fits(where, arm, mine, self._sent, sent=True)

    def _given(self, where: str, theirs: Schema, ours: Schema) -> None:
        """Every alternative of ours fits into one of theirs."""
        wanted = self._theirs.arms(theirs)
        for arm in self._ours.arms(ours):
            self._fits(where, arm, wanted, self._given, sent=False)

    def _fits(self, where: str, one: Schema, into: list[Schema], inner: Any, *, sent: bool) -> None:
        alike = [arm for arm in into if _same_kind(one, arm)]
        shown = json.dumps(one.get("enum", one.get("type")))
        if not self._check(bool(alike), where, f"{shown} has no like of it"):
            return
        best = max(alike, key=lambda arm: _nearness(one, arm))
        theirs, ours = (one, best) if sent else (best, one)
        if sent:
            self._bounds(where, theirs, ours)
        if one.get("type") == "object":
            self._fields(where, theirs, ours, inner, sent=sent)
        if one.get("type") == "array" and "items" in theirs and "items" in ours:
            inner(f"{where}[]", theirs["items"], ours["items"])

    def _bounds(self, where: str, theirs: Schema, ours: Schema) -> None:
        for key, larger in BOUNDS.items():
            if key in ours and key not in theirs and ours[key] > 0:
                self.tighter.append(f"{where}: {key} {ours[key]}")
            elif key in theirs:
                gap = ours.get(key, theirs[key]) - theirs[key]
                self._check(gap <= 0 if larger else gap >= 0, where, f"{key} is {ours.get(key)}")

    def _fields(self, where: str, theirs: Schema, ours: Schema, inner: Any, *, sent: bool) -> None:
        wanted, found = theirs.get("properties", {}), ours.get("properties", {})
        required, needed = set(theirs.get("required", ())), set(ours.get("required", ()))
        for name in wanted:
            place = f"{where}.{name}"
            if not self._check(name in found, place, "is unknown"):
                continue
            if sent:
                self._check(name in required or name not in needed, place, "is required")
            else:
                self._check(name not in required or name in needed, place, "is not always there")
            inner(place, wanted[name], found[name])
        if theirs.get("additionalProperties") is False and not sent:
            more = sorted(set(found) - set(wanted))
            self._check(not more, where, f"has more: {', '.join(more)}")
        if isinstance(theirs.get("additionalProperties"), dict):
            values = ours.get("additionalProperties", {})
            inner(f"{where}.*", theirs["additionalProperties"], values or {"type": "object"})


def _bodies(operation: Schema) -> list[Schema]:
    return [
        content["schema"]
        for kind, content in operation.get("requestBody", {}).get("content", {}).items()
        if kind == "application/json"
    ]


def _answer(operation: Schema) -> Schema:
    return operation["responses"]["200"]["content"]["application/json"]["schema"]


def _same_kind(one: Schema, into: Schema) -> bool:
    """Whether each value of `one` may be one of `into`, as far as types and enumerations say."""
    numbers = (one.get("type"), into.get("type")) == ("integer", "number")
    if not (numbers or one.get("type") == into.get("type") or into.get("type") is None):
        return False
    values = map(str, one.get("enum", ["?"]))
    return "enum" not in into or set(values) <= set(map(str, into["enum"]))


def _nearness(one: Schema, arm: Schema) -> int:
    """Of several objects that which has the same `type` in it, else the most of the same fields."""
    kinds = [s.get("properties", {}).get("type", {}) for s in (one, arm)]
    same = [set(map(str, kind.get("enum", [kind.get("const")]))) for kind in kinds]
    shared = set(one.get("properties", {})) & set(arm.get("properties", {}))
    return 100 * bool(same[0] & same[1]) + len(shared)


def read(path: Path) -> Schema:
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    import yaml

    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def main() -> None:
    [file, *prefixes] = sys.argv[1:]
    comparison = Comparison(Document(read(Path(file))), Document(document(), "/v1"))
    for prefix in prefixes or ["/vector_stores"]:
        comparison.run(prefix)
    good = comparison.checks - len(comparison.differences)
    print(f"{good} of {comparison.checks} checks agree: {100 * good / comparison.checks:.1f} %")
    for title, lines in (
        ("Differences", comparison.differences),
        ("Bounds of ours where OpenAI's document has none", comparison.tighter),
    ):
        print(f"\n{title}: {len(lines)}")
        print("\n".join(f"  {line}" for line in lines))


if __name__ == "__main__":
    main()
