"""The documents that are made from the code: still what the code says, and true of the server."""

import importlib.util
import json
from types import ModuleType
from typing import Any

import httpx
import pytest

from servers import REPOSITORY, Server


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def parameters() -> ModuleType:
    return _script("parameters")


def test_the_table_of_parameters_is_what_the_code_says(parameters: ModuleType) -> None:
    assert parameters.page() == parameters.PAGE.read_text("utf-8"), "run `make docs`"


def test_every_parameter_of_the_newest_sdk_is_known(parameters: ModuleType) -> None:
    known = {call.name for call, _ in parameters.tables()}
    assert {"chat.completions.create", "fine_tuning.jobs.create", "embeddings.create"} <= known
    gaps = [
        (call.name, row.path)
        for call, rows in parameters.tables()
        for row in rows
        if row.state == parameters.GAP
    ]
    assert gaps == []


def test_no_call_of_the_sdk_is_taken_for_ours(parameters: ModuleType) -> None:
    """Whose types nobody asks for, all of its parameters would be."""
    told = json.loads((REPOSITORY / "docs" / "conformance.json").read_text("utf-8"))
    offered = told[parameters.SDK]["calls"]["offered"]
    ours = [
        call.name
        for call, rows in parameters.tables()
        if call.name in offered and all(row.state == parameters.OURS for row in rows)
    ]
    assert ours == []


def test_reasons_are_given_for_fields_only(parameters: ModuleType) -> None:
    for call, _ in parameters.tables():
        kind = call.takes or call.form or call.query
        assert kind.without_effect.keys() <= kind.model_fields.keys(), call.name
        assert not kind.unsupported.keys() & kind.model_fields.keys(), call.name


_QUERY = {"metadata": "metadata[probe]"}  # how the SDKs write an object into a query


def _nested(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def test_the_server_does_what_the_table_says(server: Server, parameters: ModuleType) -> None:
    """Each parameter, given a value that no call takes: refused by name, or known."""
    wrong = []
    for call, rows in parameters.tables():
        for row in rows:
            if call.form and any(other.path.startswith(f"{row.path}.") for other in rows):
                continue  # a form has no objects, only their parts: expires_after[seconds]
            answer = _probe(server, call, row.path)
            error = answer.json().get("error", {})
            code = error.get("code") if error.get("param") == row.path else None
            expected = {
                parameters.REFUSED: code == "unsupported_parameter",
                parameters.GAP: True,
            }.get(row.state, code not in ("unsupported_parameter", "unknown_parameter"))
            if answer.status_code >= 500 or not expected:
                wrong.append((call.name, row, error))
    assert not wrong, wrong


def _bracketed(path: str) -> str:
    """``a.b`` as a form writes it: ``a[b]``."""
    first, *rest = path.split(".")
    return first + "".join(f"[{name}]" for name in rest)


def _probe(server: Server, call: Any, path: str) -> httpx.Response:
    url = call.described.removeprefix("/v1").replace("{id}", "unknown")
    if call.form:
        return server.http.request(call.method, url, files={_bracketed(path): ("x", b"")})
    if call.takes:
        return server.http.request(call.method, url, json=_nested(path, {"probe": "probe"}))
    return server.http.request(call.method, url, params={_QUERY.get(path, path): "probe"})


def test_the_table_of_conformance_is_what_the_stories_counted() -> None:
    conformance = _script("conformance")
    assert conformance.page() == conformance.PAGE.read_text("utf-8"), "run `make conformance`"


def test_the_tables_of_databases_are_what_their_tests_counted() -> None:
    databases = _script("databases")
    for path in databases.PAGES:
        told = path.read_text("utf-8")
        assert databases.table() in told
        assert databases.page(path) == told, "run `make databases-told`"
