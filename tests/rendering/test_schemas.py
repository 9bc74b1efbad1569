"""Which objects of a schema are closed, and which stay open."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel

from tunewright.rendering.schemas import closed

A: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}
B: dict[str, Any] = {"type": "object", "properties": {"b": {"type": "string"}}}
TO_A = {"$ref": "#/$defs/a"}
SHUT = {"additionalProperties": False}


class Pet(BaseModel):
    kind: Literal["cat", "dog"]
    tags: dict[str, str]


class Owner(BaseModel):
    pets: list[Pet]
    first: Pet | None = None
    nothing: dict[str, Any]


def test_what_pydantic_writes_is_closed_all_through() -> None:
    made = closed(Owner.model_json_schema())
    assert made["additionalProperties"] is False
    assert made["$defs"]["Pet"]["additionalProperties"] is False
    pet = made["$defs"]["Pet"]["properties"]
    assert pet["tags"]["additionalProperties"] == {"type": "string"}
    assert made["properties"]["nothing"].get("additionalProperties") is not False


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        (A, {**A, **SHUT}),
        ({"properties": {}}, {"properties": {}, **SHUT}),
        ({"type": "object"}, {"type": "object"}),
        ({**A, "additionalProperties": True}, {**A, "additionalProperties": True}),
        (
            {**A, "additionalProperties": B},
            {**A, "additionalProperties": {**B, **SHUT}},
        ),
        ({**A, "patternProperties": {"^x": B}}, {**A, "patternProperties": {"^x": {**B, **SHUT}}}),
        ({"items": A}, {"items": {**A, **SHUT}}),
        ({"prefixItems": [A, B]}, {"prefixItems": [{**A, **SHUT}, {**B, **SHUT}]}),
        ({"anyOf": [A, {"type": "null"}]}, {"anyOf": [{**A, **SHUT}, {"type": "null"}]}),
        ({"allOf": [A]}, {"allOf": [{**A, **SHUT}]}),
        ({"allOf": [A, B]}, {"allOf": [A, B]}),
        ({**A, "anyOf": [B, {"type": "object"}]}, {**A, "anyOf": [B, {"type": "object"}]}),
        ({"allOf": [{"anyOf": [A]}, B]}, {"allOf": [{"anyOf": [A]}, B]}),
        ({"if": A, "then": B}, {"if": A, "then": B}),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": A}},
            {"$ref": "#/$defs/a", "$defs": {"a": {**A, **SHUT}}},
        ),
        (
            {**B, "$ref": "#/$defs/a", "$defs": {"a": A}},
            {**B, "$ref": "#/$defs/a", "$defs": {"a": A}},
        ),
        (
            {"allOf": [{"$ref": "#/$defs/x"}, B], "$defs": {"x": TO_A, "a": A}},
            {"allOf": [{"$ref": "#/$defs/x"}, B], "$defs": {"x": TO_A, "a": A}},
        ),
        ({"enum": [A], "default": A}, {"enum": [A], "default": A}),
        ({"properties": {"properties": A}}, {"properties": {"properties": {**A, **SHUT}}, **SHUT}),
        ({"$ref": "#/$defs/none"}, {"$ref": "#/$defs/none"}),
        ({"$ref": "http://else.where/x"}, {"$ref": "http://else.where/x"}),
        (
            {"items": True, "properties": {"a": True}},
            {"items": True, "properties": {"a": True}, **SHUT},
        ),
        (
            {"properties": 3, "allOf": 4, "items": None},
            {"properties": 3, "allOf": 4, "items": None},
        ),
    ],
)
def test_an_object_that_says_nothing_of_others_has_none(
    schema: dict[str, Any], wanted: dict[str, Any]
) -> None:
    before = repr(schema)
    assert closed(schema) == wanted
    assert repr(schema) == before, "the schema that was given stays as it is"


def test_a_schema_that_refers_to_itself() -> None:
    tree = {"properties": {"left": {"$ref": "#"}, "more": {"$ref": "#/properties/left"}}}
    assert closed(tree) == {**tree, **SHUT}
