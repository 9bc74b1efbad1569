"""Bad requests: status, type, code and param in OpenAI's envelope, and never a 500."""

import json

import httpx
import pytest

from servers import Server

CHAT = {"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "Hi"}]}
EMBED = {"model": "text-embedding-ada-002", "input": "a"}


def chat(**more: object) -> dict:
    return {**CHAT, **more}


# path, body, status, param, code
CASES: list[tuple[str, object, int, str | None, str | None]] = [
    ("/chat/completions", {}, 400, "model", "missing_required_parameter"),
    ("/chat/completions", {"model": "x", "messages": CHAT["messages"]}, 404, "model", "model_not_found"),
    ("/chat/completions", chat(messages=[]), 400, "messages", "array_below_min_length"),
    ("/chat/completions", chat(messages="Hi"), 400, "messages", "invalid_type"),
    ("/chat/completions", chat(messages=[{"role": "king", "content": "x"}]), 400, "messages[0].role", "invalid_value"),
    ("/chat/completions", chat(messages=[{"role": "user"}]), 400, "messages[0].content", "missing_required_parameter"),
    ("/chat/completions", chat(messages=[{"role": "user", "content": 3}]), 400, "messages[0].content", "invalid_type"),
    ("/chat/completions", chat(temperature=3), 400, "temperature", "decimal_above_max_value"),
    ("/chat/completions", chat(temperature=-0.1), 400, "temperature", "decimal_below_min_value"),
    ("/chat/completions", chat(temperature="1"), 400, "temperature", "invalid_type"),
    ("/chat/completions", chat(top_p=1.5), 400, "top_p", "decimal_above_max_value"),
    ("/chat/completions", chat(n=0), 400, "n", "integer_below_min_value"),
    ("/chat/completions", chat(n=129), 400, "n", "integer_above_max_value"),
    ("/chat/completions", chat(n=True), 400, "n", "invalid_type"),
    ("/chat/completions", chat(max_tokens=0), 400, "max_tokens", "integer_below_min_value"),
    ("/chat/completions", chat(stop=["a"] * 5), 400, "stop", "array_above_max_length"),
    ("/chat/completions", chat(stream="yes"), 400, "stream", "invalid_type"),
    ("/chat/completions", chat(tools=[{"type": "function"}]), 400, "tools[0].function", "missing_required_parameter"),
    ("/chat/completions", chat(verbosity="low"), 400, "verbosity", "unsupported_parameter"),
    ("/chat/completions", chat(modalities=["audio"]), 400, "modalities", "unsupported_parameter"),
    ("/chat/completions", chat(temprature=1), 400, "temprature", "unknown_parameter"),
    ("/chat/completions", chat(model="babbage-002"), 400, "model", "model_kind"),
    ("/chat/completions", chat(messages=[{"role": "user", "content": "x " * 9000}]), 400, "messages", "context_length_exceeded"),
    ("/completions", {"model": "gpt-3.5-turbo", "prompt": "x"}, 400, "model", "model_kind"),
    ("/completions", {"model": "babbage-002"}, 400, "prompt", "missing_required_parameter"),
    ("/completions", {"model": "babbage-002", "prompt": "x", "suffix": "y"}, 400, "suffix", "unsupported_parameter"),
    ("/completions", {"model": "babbage-002", "prompt": "x " * 9000}, 400, "prompt", "context_length_exceeded"),
    ("/completions", {"model": "babbage-002", "prompt": [1, 2]}, 400, "prompt", "foreign_token_ids"),
    ("/completions", {"model": "babbage-002", "prompt": [1, "x"]}, 400, "prompt[0]", "invalid_type"),
    ("/completions", {"model": "builtin-completion", "prompt": [[8192]]}, 400, "prompt", None),
    ("/completions", {"model": "babbage-002", "prompt": "x", "best_of": 2, "n": 3}, 400, "best_of", None),
    ("/completions", {"model": "babbage-002", "prompt": "x", "best_of": 2, "stream": True}, 400, "best_of", None),
    ("/chat/completions", chat(response_format={"type": "xml"}), 400, "response_format.type", "invalid_value"),
    ("/chat/completions", chat(response_format={"type": "json_schema"}), 400, "response_format.json_schema", None),
    ("/embeddings", {**EMBED, "input": ""}, 400, "input", None),
    ("/embeddings", {**EMBED, "input": []}, 400, "input", None),
    ("/embeddings", {**EMBED, "input": ["a", ""]}, 400, "input", None),
    ("/embeddings", {**EMBED, "input": ["a"] * 2049}, 400, "input", "array_above_max_length"),
    ("/embeddings", {**EMBED, "input": "word " * 9000}, 400, "input", None),
    ("/embeddings", {**EMBED, "input": ["word " * 8000] * 40}, 400, "input", "max_tokens_per_request"),
    ("/embeddings", {**EMBED, "encoding_format": "hex"}, 400, "encoding_format", "invalid_value"),
    ("/embeddings", {**EMBED, "dimensions": 385}, 400, "dimensions", "integer_above_max_value"),
    ("/embeddings", {**EMBED, "model": "gpt-3.5-turbo"}, 400, "model", "model_kind"),
    ("/fine_tuning/jobs", {"model": "gpt-3.5-turbo"}, 400, "training_file", "missing_required_parameter"),
    ("/fine_tuning/jobs", {"model": "gpt-3.5-turbo", "training_file": "file-x"}, 400, "training_file", "file_not_found"),
    ("/fine_tuning/jobs", {"model": "gpt-9", "training_file": "file-x"}, 400, "model", "model_not_available"),
    ("/fine_tuning/jobs", {"model": "text-embedding-ada-002", "training_file": "f"}, 400, "model", "model_not_available"),
    ("/fine_tuning/jobs", {"model": "m", "training_file": "f", "suffix": "s" * 65}, 400, "suffix", "string_above_max_length"),
    ("/fine_tuning/jobs", {"model": "m", "training_file": "f", "seed": -1}, 400, "seed", "integer_below_min_value"),
    ("/fine_tuning/jobs", {"model": "m", "training_file": "f", "hyperparameters": {"n_epochs": 0}}, 400, "hyperparameters.n_epochs", "integer_below_min_value"),
    ("/fine_tuning/jobs", {"model": "m", "training_file": "f", "hyperparameters": {"n_epochs": 1.5}}, 400, "hyperparameters.n_epochs", "invalid_type"),
    ("/fine_tuning/jobs", {"model": "m", "training_file": "f", "hyperparameters": {"epochs": 3}}, 400, "hyperparameters.epochs", "unknown_parameter"),
    ("/fine_tuning/jobs", {"model": "m", "training_file": "f", "method": {"type": "dpo"}}, 400, "method.type", "invalid_value"),
    ("/fine_tuning/jobs", {"model": "m", "training_file": "f", "integrations": [{"type": "wandb"}]}, 400, "integrations", "unsupported_parameter"),
    ("/fine_tuning/jobs", {"model": "m", "training_file": "f", "metadata": {"a": 1}}, 400, "metadata.a", "invalid_type"),
]  # fmt: skip


def check_error(answer: httpx.Response, status: int, param: str | None, code: str | None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    assert (body["error"]["param"], body["error"]["code"]) == (param, code), body


@pytest.mark.parametrize(("path", "body", "status", "param", "code"), CASES)
def test_bad_parameters(
    server: Server, path: str, body: object, status: int, param: str | None, code: str | None
) -> None:
    check_error(server.http.post(path, json=body), status, param, code)


@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings", "/fine_tuning/jobs"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b'{"model": "x"} {"model": "y"}',
        b'{"model": "x",}',
        b'{"model": NaN}',
        b'{"model": Infinity}',
        b'{"model": 1e999}',
        b'{"input": "\\ud800", "model": "text-embedding-ada-002"}',
        b'{"model": "\xff"}',
        b'{"model": "\xed\xa0\x80"}',
        "{}".encode("utf-16"),
        b"\x00",
        b'{"a":' * 100_000,
        b'{"model": ' + b"[" * 500 + b"]" * 500 + b"}",
    ],
    ids=lambda body: repr(body[:30]),
)
def test_bodies_that_are_no_json(server: Server, path: str, body: bytes) -> None:
    answer = server.http.post(path, content=body, headers={"content-type": "application/json"})
    check_error(answer, 400, None, None)


def test_numbers_beyond_64_bits_are_refused(server: Server) -> None:
    body = json.dumps({**CHAT, "seed": 2**80})
    assert server.http.post("/chat/completions", content=body).status_code == 400


def test_compressed_bodies_are_refused_unread(server: Server) -> None:
    answer = server.http.post(
        "/embeddings", content=b"\x1f\x8b" * 10, headers={"content-encoding": "gzip"}
    )
    check_error(answer, 415, None, None)


def test_a_body_above_the_limit(server: Server) -> None:
    body = b'{"model": "text-embedding-ada-002", "input": "' + b"x" * 34_000_000 + b'"}'
    check_error(server.http.post("/embeddings", content=body), 413, None, None)


@pytest.mark.parametrize(
    ("key", "code"),
    [(None, None), ("sk-wrong", "invalid_api_key"), ("My API Key", "invalid_api_key")],
)
def test_no_key_or_a_wrong_one(server: Server, key: str | None, code: str | None) -> None:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    answer = httpx.get(f"{server.url}/models", headers=headers)
    check_error(answer, 401, None, code)
    assert "sk-wrong" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/files/file-x/nothing", 404),
        ("PUT", "/files", 405),
        ("GET", "/chat/completions", 405),
        ("GET", "/files/%2Fdir%2Fx.jsonl", 404),
        ("GET", "/files/..%2F..%2Fcatalog.db", 404),
    ],
)
def test_unknown_urls(server: Server, method: str, path: str, status: int) -> None:
    answer = server.http.request(method, path)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("path", "param", "code"),
    [
        ("/files/file-unknown", "id", None),
        ("/files/file-unknown/content", "id", None),
        ("/fine_tuning/jobs/ftjob-unknown", "fine_tune_id", "fine_tune_not_found"),
        ("/fine_tuning/jobs/ftjob-unknown/events", "fine_tune_id", "fine_tune_not_found"),
        ("/fine_tuning/jobs/ftjob-unknown/checkpoints", "fine_tune_id", "fine_tune_not_found"),
        ("/models/unknown", "model", "model_not_found"),
        ("/models/ft:a:b::c", "model", "model_not_found"),
    ],
)
def test_unknown_ids(server: Server, path: str, param: str, code: str | None) -> None:
    check_error(server.http.get(path), 404, param, code)


@pytest.mark.parametrize(
    ("query", "param", "code"),
    [
        ({"limit": "0"}, "limit", "integer_below_min_value"),
        ({"limit": "101"}, "limit", "integer_above_max_value"),
        ({"limit": "many"}, "limit", "invalid_type"),
        ({"limt": "3"}, "limt", "unknown_parameter"),
    ],
)
def test_bad_queries(server: Server, query: dict, param: str, code: str) -> None:
    check_error(server.http.get("/fine_tuning/jobs", params=query), 400, param, code)


def test_a_base_cannot_be_deleted(server: Server) -> None:
    check_error(server.http.delete("/models/builtin-chat"), 403, "model", None)
    check_error(server.http.delete("/models/gpt-3.5-turbo"), 403, "model", None)
