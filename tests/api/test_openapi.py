"""Our OpenAPI document: complete, and true of the running server."""

import re
from typing import Any

import httpx
import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from servers import Server
from tunewright.api.application import routes
from tunewright.api.calls import CALLS, Call

CHECKS = [
    checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# What a call must name to get beyond its first refusal.
MODELS = {
    "chat.completions.create": "gpt-3.5-turbo",
    "completions.create": "davinci-002",
    "embeddings.create": "text-embedding-ada-002",
    "engines.chat.completions.create": "gpt-3.5-turbo",
    "engines.completions.create": "davinci-002",
    "engines.embeddings.create": "text-embedding-ada-002",
    "fine_tuning.jobs.create": "gpt-3.5-turbo",
}
KNOWN = ("files", "fine_tuning", "models", "engines")  # tags whose ids the fixture knows
ANSWERED = MODELS.keys() - {"fine_tuning.jobs.create"}


def test_every_route_is_described() -> None:
    described = [(call.method, call.described) for call in CALLS]
    assert len(set(described)) == len(described)
    assert len({call.name for call in CALLS}) == len(CALLS)
    served = {
        (method, re.sub(r":\w+\}", "}", route.path))
        for route in routes()
        for method in route.methods - {"HEAD"}
    }
    assert served == set(described), "each route is declared once"


def test_the_document_is_valid_and_open(server: Server) -> None:
    answer = httpx.get(f"{server.root_url}/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["openapi"] == "3.1.0"
    for schema in answer.json()["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.fixture(scope="session")
def described(server: Server, tuned: dict) -> Any:
    """The document as schemathesis reads it, with ids that exist and answers kept short."""
    schema = schemathesis.openapi.from_url(f"{server.root_url}/openapi.json")
    schema.config.update(
        base_url=server.root_url, headers={"authorization": f"Bearer {server.key}"}
    )
    job, model = tuned["id"], tuned["fine_tuned_model"]
    known = dict(zip(KNOWN, (tuned["result_files"][0], job, model, model), strict=True))

    @schema.hook
    def map_path_parameters(context: Any, parameters: dict | None) -> dict | None:
        tag = context.operation.definition.raw["tags"][0]
        known_tag = parameters and context.operation.method == "get" and tag in known
        if known_tag and "id" in parameters and len(str(parameters["id"])) % 2:
            parameters["id"] = known[tag]
        name = context.operation.definition.raw["operationId"]
        if parameters and "engine" in parameters:
            parameters["engine"] = MODELS[name]
        return parameters

    @schema.hook
    def map_body(context: Any, body: Any) -> Any:
        name = context.operation.definition.raw["operationId"]
        if isinstance(body, dict) and name in MODELS:
            body["model"] = MODELS[name]
            if "completions" in name:
                body |= {"max_tokens": 2, "n": 1}
            if "chat" in name:
                # Nearly every combination of tools, formats and messages is refused: half of the
                # bodies keep to what is answered.
                short = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}
                body.pop("max_completion_tokens", None)
                body = {**short, "model": MODELS[name]} if len(str(body)) % 2 else body
        return body

    return schema


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_the_server_does_what_the_document_says(described: Any, call: Call) -> None:
    """No 5xx; status, content type and body of every answer as described; errors in their shape."""
    statuses: set[int] = set()
    operation = described[call.described][call.method]

    @settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def conforms(case: Case) -> None:
        answer = case.call(timeout=60)
        case.validate_response(answer, checks=CHECKS)
        statuses.add(answer.status_code)

    conforms()
    by_known_id = operation.definition.raw["tags"][0] in KNOWN
    named = re.findall(r"{(\w+)}", call.described)
    reachable = call.method == "GET" and (not named or (by_known_id and named == ["id"]))
    assert 200 in statuses or not (reachable or call.name in ANSWERED), statuses
