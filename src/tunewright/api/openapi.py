"""The OpenAPI 3.1 document, made from the list of calls and their records."""

import functools
import re
from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from tunewright import __version__
from tunewright.api.call import Call, Schema
from tunewright.api.calls import CALLS
from tunewright.records import record

_NULLABLE = {"type": ["string", "null"]}
ERROR: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "additionalProperties": False,
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string", "minLength": 1},
                "type": {"type": "string"},
                "param": _NULLABLE,
                "code": _NULLABLE,
            },
        }
    },
}
EVENT: Schema = {
    "type": "object",
    "description": "One event of a stream (`stream: true`): a chunk as JSON, at last [DONE].",
    "required": ["data"],
    "properties": {"data": {"type": "string"}},
}


@functools.cache
def document() -> Schema:
    schemas = _Schemas(CALLS)
    paths: dict[str, Schema] = {}
    for call in CALLS:
        paths.setdefault(call.described, {})[call.method.lower()] = _operation(call, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tunewright",
            "version": __version__,
            "description": "OpenAI's fine-tuning and embeddings API on open-weight models.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": {**schemas.definitions, "Error": ERROR},
            "responses": {"Error": _answer("What is wrong, where, and what to do next.", "Error")},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


class _Schemas:
    """The schemas of all records, named once: what is sent, and what is given."""

    def __init__(self, calls: Iterable[Call]) -> None:
        wanted: set[tuple[type[Any], JsonSchemaMode]] = set()
        for call in calls:
            wanted |= {(kind, "validation") for kind in (call.takes, call.form, call.query) if kind}
            if isinstance(call.gives, type):
                wanted.add((call.gives, "serialization"))
        ordered = sorted(wanted, key=lambda pair: (pair[0].__name__, pair[1]))
        self._refs, found = models_json_schema(ordered, ref_template="#/components/schemas/{model}")
        self.definitions: dict[str, Schema] = found["$defs"]

    def sent(self, kind: type[record.Request]) -> Schema:
        return self._refs[kind, "validation"]

    def given(self, kind: type[record.Record]) -> Schema:
        return self._refs[kind, "serialization"]

    def properties(self, kind: type[record.Request]) -> dict[str, Schema]:
        name = self.sent(kind)["$ref"].rpartition("/")[2]
        return self.definitions[name].get("properties", {})


def _operation(call: Call, schemas: _Schemas) -> Schema:
    operation: Schema = {
        "operationId": call.name,
        "summary": call.summary,
        "tags": [call.path.split("/")[2] if call.path.startswith("/v1/") else "server"],
        "responses": {
            "200": _success(call, schemas),
            "default": {"$ref": "#/components/responses/Error"},
        },
    }
    parameters = [*_path_parameters(call), *_query_parameters(call, schemas)]
    if parameters:
        operation["parameters"] = parameters
    if body := _body(call, schemas):
        operation["requestBody"] = {"required": not call.empty, "content": body}
    if call.open:
        operation["security"] = []
    return operation


def _path_parameters(call: Call) -> list[Schema]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"\{(\w+)\}", call.described)
    ]


def _query_parameters(call: Call, schemas: _Schemas) -> list[Schema]:
    if not call.query:
        return []
    return [
        {"name": name, "in": "query", "required": False, "schema": _not_null(schema)}
        for name, schema in schemas.properties(call.query).items()
    ]


def _not_null(schema: Schema) -> Schema:
    """A query has no null."""
    arms = [arm for arm in schema.get("anyOf", []) if arm != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    if len(arms) == 1:
        return {**rest, **arms[0]}
    return {**rest, "anyOf": arms} if arms else schema


def _body(call: Call, schemas: _Schemas) -> Schema:
    if call.form:
        style = {"style": "deepObject", "explode": True}  # expires_after[seconds]
        encoding = {"expires_after": style} if "expires_after" in call.form.model_fields else {}
        return {"multipart/form-data": {"schema": schemas.sent(call.form), "encoding": encoding}}
    if not call.takes:
        return {}
    schema = schemas.sent(call.takes)
    if call.optional:
        schema = _with_optional(
            schemas.definitions[schema["$ref"].rpartition("/")[2]], call.optional
        )
    return {"application/json": {"schema": schema}}


def _with_optional(schema: Schema, names: tuple[str, ...]) -> Schema:
    return {**schema, "required": [n for n in schema["required"] if n not in names]}


def _success(call: Call, schemas: _Schemas) -> Schema:
    if call.gives is None:
        schema: Schema = {"type": "string", "format": "binary"}
        return {"description": "OK", "content": {call.media_type: {"schema": schema}}}
    schema = call.gives if isinstance(call.gives, dict) else schemas.given(call.gives)
    content: Schema = {"application/json": {"schema": schema}}
    if call.streams:
        content["text/event-stream"] = {"schema": EVENT}
    return {"description": "OK", "content": content}


def _answer(description: str, schema: str) -> Schema:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}
