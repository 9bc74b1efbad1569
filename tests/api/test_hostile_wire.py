"""Hostile requests: every one is answered with 4xx in OpenAI's shape, and names what is wrong."""

from typing import Any

import pytest

from servers import Server

EMBED = {"model": "text-embedding-ada-002", "input": "a"}
CHAT = {"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
TEXT = {"model": "davinci-002", "prompt": "One", "max_tokens": 2}
JOB = {"model": "gpt-3.5-turbo", "training_file": "file-x"}

# path, good body, what is put in its place, the parameter that the error names
CASES: list[tuple[str, dict, dict, str]] = [
    ("/embeddings", EMBED, {"input": [""]}, "input"),
    ("/embeddings", EMBED, {"input": ["a", 1]}, "input"),
    ("/embeddings", EMBED, {"input": [-1]}, "input"),
    ("/embeddings", EMBED, {"input": [2**31]}, "input"),
    ("/embeddings", EMBED, {"input": [[]]}, "input"),
    ("/embeddings", EMBED, {"input": {"a": 1}}, "input"),
    ("/embeddings", EMBED, {"dimensions": 0}, "dimensions"),
    ("/embeddings", EMBED, {"dimensions": -1}, "dimensions"),
    ("/embeddings", EMBED, {"dimensions": 10**9}, "dimensions"),
    ("/embeddings", EMBED, {"model": ""}, "model"),
    ("/chat/completions", CHAT, {"messages": [None]}, "messages"),
    ("/chat/completions", CHAT, {"messages": {"role": "user"}}, "messages"),
    ("/chat/completions", CHAT, {"messages": CHAT["messages"] * 100_000}, "messages"),
    ("/chat/completions", CHAT, {"temperature": -1}, "temperature"),
    ("/chat/completions", CHAT, {"max_tokens": -1}, "max_tokens"),
    ("/chat/completions", CHAT, {"stop": [1]}, "stop"),
    ("/chat/completions", CHAT, {"logit_bias": {"no id": 1}}, "logit_bias"),
    ("/chat/completions", CHAT, {"logit_bias": {"-1": 1}}, "logit_bias"),
    ("/chat/completions", CHAT, {"logit_bias": {"99999999": 1}}, "logit_bias"),
    ("/chat/completions", CHAT, {"logit_bias": {"1": 101}}, "logit_bias"),
    ("/chat/completions", CHAT, {"stream_options": {"no": 1}}, "stream_options"),
    ("/completions", TEXT, {"prompt": []}, "prompt"),
    ("/completions", TEXT, {"prompt": ["a"] * 129}, "prompt"),
    ("/completions", TEXT, {"prompt": {"a": 1}}, "prompt"),
    ("/completions", TEXT, {"n": 129}, "n"),
    ("/fine_tuning/jobs", JOB, {"hyperparameters": {"n_epochs": 10**9}}, "hyperparameters"),
    ("/fine_tuning/jobs", JOB, {"hyperparameters": {"n_epochs": True}}, "hyperparameters"),
    ("/fine_tuning/jobs", JOB, {"hyperparameters": {"n_epochs": "often"}}, "hyperparameters"),
    ("/fine_tuning/jobs", JOB, {"seed": 2**63}, "seed"),
    ("/fine_tuning/jobs", JOB, {"suffix": ""}, "suffix"),
    ("/fine_tuning/jobs", JOB, {"training_file": "../../catalog.db"}, "training_file"),
    ("/fine_tuning/jobs", JOB, {"metadata": {"k" * 65: "v"}}, "metadata"),
    ("/fine_tuning/jobs", JOB, {"metadata": {str(n): "v" for n in range(17)}}, "metadata"),
]


def _error(answer: Any, status: int = 400) -> dict:
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"]["message"]
    return answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "good", "bad", "param"), CASES, ids=lambda value: repr(value)[:40]
)
def test_hostile_json(server: Server, path: str, good: dict, bad: dict, param: str) -> None:
    error = _error(server.http.post(path, json={**good, **bad}))
    assert error["type"] == "invalid_request_error"
    assert (error["param"] or "").startswith(param), error


def _part(disposition: bytes, body: bytes = b"x", headers: bytes = b"") -> bytes:
    head = b"Content-Disposition: form-data; " + disposition + b"\r\n" + headers
    return b"--B\r\n" + head + b"\r\n" + body + b"\r\n"


PURPOSE = _part(b'name="purpose"', b"fine-tune")
FILE = _part(b'name="file"; filename="x.jsonl"', b"{}")
END = b"--B--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        END,
        b"no form at all",
        PURPOSE + END,
        FILE + END,
        PURPOSE + FILE,  # not closed
        PURPOSE + FILE + FILE + END,
        PURPOSE + PURPOSE + FILE + END,
        _part(b"", b"no name") + PURPOSE + FILE + END,
        _part(b'name="purpose"', b"\xff") + FILE + END,
        _part(b'name="purpose"', b"x" * 100_000) + FILE + END,
        PURPOSE + _part(b'name="p"') * 100_000 + END,
        PURPOSE + _part(b'name="file"; filename="x"', headers=b"X: y\r\n" * 100_000) + END,
        PURPOSE + _part(b'name="file"; filename="\xff.jsonl"') + END,
        PURPOSE + _part(b'name="../file"; filename="x"') + END,
    ],
    ids=lambda body: f"{len(body)} bytes {body[:12]!r}",
)
def test_hostile_forms(server: Server, body: bytes) -> None:
    before = sorted(path.name for path in (server.home / "blobs").iterdir())
    headers = {"content-type": "multipart/form-data; boundary=B"}
    _error(server.http.post("/files", content=body, headers=headers))
    assert sorted(path.name for path in (server.home / "blobs").iterdir()) == before


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data", "application/json"])
def test_forms_without_a_boundary(server: Server, kind: str) -> None:
    headers = {"content-type": kind}
    _error(server.http.post("/files", content=PURPOSE + FILE + END, headers=headers))


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../x", "x"),
        ("..\\..\\x", "x"),
        ("/etc/passwd", "passwd"),
        ("..%2fx", "..%2fx"),
        ("y" * 1_000, "y" * 255),
    ],
)
def test_hostile_names_stay_names(server: Server, name: str, kept: str) -> None:
    disposition = b'name="file"; filename="' + name.encode() + b'"'
    answer = server.http.post(
        "/files",
        content=PURPOSE + _part(disposition, b"{}") + END,
        headers={"content-type": "multipart/form-data; boundary=B"},
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["filename"] == kept
    assert (server.home / "blobs" / answer.json()["id"]).read_bytes() == b"{}"


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate", "gzip, gzip"])
@pytest.mark.parametrize("path", ["/files", "/embeddings", "/chat/completions"])
def test_compressed_requests_are_not_inflated(server: Server, path: str, encoding: str) -> None:
    headers = {"content-encoding": encoding, "content-type": "multipart/form-data; boundary=B"}
    _error(server.http.post(path, content=b"\x1f\x8b\x08" * 99, headers=headers), 415)
