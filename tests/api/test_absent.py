"""Calls of OpenAI's that are not offered: refused by name, with what to call instead."""

import httpx
import pytest

from servers import Server

CHAT = "Use POST /v1/chat/completions"


@pytest.mark.parametrize(
    ("method", "path", "name", "instead"),
    [
        ("POST", "/responses", "The Responses API", CHAT),
        ("GET", "/responses/resp_1/input_items", "The Responses API", "openai-agents"),
        ("POST", "/conversations", "The Conversations API", CHAT),
        ("POST", "/fine_tuning/alpha/graders/run", "The Graders API", "tunewright check --job"),
        ("GET", "/evals/eval_1/runs", "The Evals API", "tunewright check --job"),
        ("POST", "/moderations", "The Moderations API", "tuned model"),
        ("POST", "/assistants", "The Assistants API", CHAT),
        ("POST", "/threads/runs", "The Assistants API", CHAT),
        ("POST", "/images/generations", "The Images API", "text only"),
        ("POST", "/audio/transcriptions", "The Audio API", "text only"),
        ("POST", "/realtime/sessions", "The Realtime API", '"stream": true'),
        ("POST", "/videos", "The Videos API", "text only"),
        ("POST", "/containers", "The Containers API", "runs code"),
        ("GET", "/organization/users", "administration", "/v1/organization/admin_api_keys"),
        ("POST", "/fine-tunes", "The first fine-tuning API", "/v1/fine_tuning/jobs"),
        ("POST", "/edits", "The Edits API", CHAT),
        ("GET", "/chat/completions/chatcmpl-1/messages", "stored completions", "never stored"),
    ],
)
def test_what_is_not_offered_is_named(
    server: Server, method: str, path: str, name: str, instead: str
) -> None:
    answer = server.http.request(method, path, json={})
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "not_offered")
    assert name in error["message"]
    assert f"is not offered by this server ({method} /v1{path})" in error["message"]
    assert instead in error["message"]


def test_the_list_of_stored_completions(server: Server) -> None:
    answer = server.http.get("/chat/completions")
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "not_offered"
    answer = server.http.put("/chat/completions", json={})
    assert answer.json()["error"]["code"] == "method_not_supported"


@pytest.mark.parametrize("path", ["/v1/responsesx", "/v1/foo", "/v1", "/"])
def test_what_nobody_knows_is_an_invalid_url(server: Server, path: str) -> None:
    error = server.http.post(f"{server.root_url}{path}", json={}).json()["error"]
    assert error["message"] == f"Invalid URL (POST {path})"
    assert error["code"] is None


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/v1/chat/completions", "/files/file-1"])
def test_a_base_url_without_its_end(server: Server, path: str) -> None:
    error = server.http.post(f"{server.root_url}{path}", json={}).json()["error"]
    said = f"Invalid URL (POST {path}). The base URL of this server ends in /v1."
    assert error["message"] == said


def test_a_key_is_asked_for_first(server: Server) -> None:
    answer = server.http.post("/responses", json={}, headers={"authorization": "Bearer sk-no"})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/v1/models/", "//v1/models", "/v1//models", "/v1/models//"])
def test_a_slash_too_many_is_none(server: Server, path: str) -> None:
    answer = server.http.get(server.root_url + path)
    assert answer.status_code == 200
    assert answer.json()["object"] == "list"
    assert server.http.post(f"{server.root_url}/v1//chat/completions/").status_code == 400
    assert server.http.get(server.root_url + "/v1/files/file-x/content/").status_code == 404
    assert httpx.get(server.root_url + path).status_code == 401
