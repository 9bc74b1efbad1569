"""Requests that hurt, as bytes."""

import json
import re
from collections.abc import Callable

from arena import Arena, chat, completion, embedding

from tunewright.api.application import routes

Made = Callable[[Arena, str], list[bytes]]


def request(
    method: str, path: str, key: str, body: bytes = b"", kind: str = "application/json", more=""
) -> bytes:
    who = f"Authorization: Bearer {key}\r\n" if key else ""
    length = f"Content-Length: {len(body)}\r\n" if method == "POST" else ""
    head = f"{method} /v1{path} HTTP/1.1\r\nHost: localhost\r\n{who}Content-Type: {kind}\r\n"
    return f"{head}{more}{length}\r\n".encode() + body


CLOSE = "Connection: close\r\n"


def posts(
    path: str, *makes: Callable[[], object], kind: str = "application/json", more: str = CLOSE
) -> Made:
    """JSON, or bytes as they are."""

    def made(_: Arena, key: str) -> list[bytes]:
        bodies = [make() for make in makes]
        raw = [b if isinstance(b, bytes) else json.dumps(b).encode() for b in bodies]
        return [request("POST", path, key, body, kind, more) for body in raw]

    return made


def gets(*paths: str, more: str = CLOSE) -> Made:
    return lambda _, key: [request("GET", path, key, more=more) for path in paths]


def raw(*sent: bytes) -> Made:
    """As it is, without a key."""
    return lambda _, key: list(sent)


def headed(path: str, more: str, body: bytes = b"", kind: str = "application/json") -> Made:
    """The head of a POST, with a line of its own in place of the length."""

    def made(_: Arena, key: str) -> list[bytes]:
        whole = request("POST", path, key, kind=kind, more=more)
        return [whole.replace(b"Content-Length: 0\r\n", b"") + body]

    return made


def form(path: str, *parts: bytes, kind: str = "multipart/form-data; boundary=b") -> Made:
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    return posts(path, lambda: body, kind=kind)


def field(name: str, value: bytes, more: str = "") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value


def upload(data: bytes, name: str = "a.jsonl") -> Made:
    file = field("file", data, f'; filename="{name}"')
    return form("/files", field("purpose", b"fine-tune"), file)


def many_keys(count: int) -> bytes:
    keys = ",".join(f'"k{n}":1' for n in range(count))
    return b'{"model":"gpt-3.5-turbo","messages":[],' + keys.encode() + b"}"


def many_messages(count: int) -> bytes:
    one = b'{"role":"user","content":"a"}'
    return b'{"model":"gpt-3.5-turbo","messages":[' + b",".join([one] * count) + b"]}"


def nested_lists(count: int) -> bytes:
    return b'{"model":"text-embedding-ada-002","input":[' + b",".join([b"[]"] * count) + b"]}"


def deep(depth: int) -> bytes:
    return b'{"a":' + b"[" * depth + b"]" * depth + b"}"


def to_every_call(*bodies: bytes) -> Made:
    """To each call that takes a body."""
    paths = [route.path for route in routes() if "POST" in getattr(route, "methods", ())]
    places = [re.sub(r"{.*?}", "x", path).removeprefix("/v1") for path in paths]
    return lambda _, key: [
        request("POST", path, key, body, more=CLOSE) for path in places for body in bodies
    ]


def to_every_model(text: str) -> Made:
    """To each call that has a tokenizer read it, and to each kind of tokenizer."""
    static = {"model": "builtin-static", "input": text}
    made = [
        posts("/chat/completions", lambda: chat(text)),
        posts("/completions", lambda: completion(text)),
        posts("/embeddings", lambda: embedding(text), lambda: static),
    ]
    return lambda arena, key: [sent for each in made for sent in each(arena, key)]


def shaped(schema: object) -> dict:
    named = {"name": "a", "strict": True, "schema": schema}
    return chat(response_format={"type": "json_schema", "json_schema": named})


def wide(properties: int) -> dict:
    return {
        "type": "object",
        "properties": {f"p{n}": {"type": "string"} for n in range(properties)},
    }


def referring(references: int, steps: int) -> dict:
    """Each reference is a way of so many steps."""
    way = "#" + "/a" * steps
    return {"type": "object", "properties": {f"p{n}": {"$ref": way} for n in range(references)}}


def doubling(levels: int) -> dict:
    """Each definition holds the next one twice."""
    two = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": {**two, f"d{levels}": {"type": "null"}}}


def tools(count: int, description: str = "", schema: object = None) -> list[dict]:
    one = {"description": description, "parameters": schema or {"type": "object"}}
    return [{"type": "function", "function": {"name": f"f{n}", **one}} for n in range(count)]
