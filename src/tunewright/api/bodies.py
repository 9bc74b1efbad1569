"""What a client sent, as Python values. Refuses what stock parsers let through.

A lone surrogate or NaN passes the standard library's parser and breaks the answer later: here
bytes must be UTF-8 and JSON in the strict sense, or the answer is 400 in OpenAI's shape.
"""

import hashlib
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from tunewright.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType

MAX_DEPTH = 64


async def read_json(request: Request, *, empty: bool = False) -> dict[str, Any]:
    """The body of a request as a JSON object; `empty`: it may be left out.

    Raises BadRequest for anything else, PayloadTooLarge above `body_limit`, and
    UnsupportedMediaType for a compressed body (nothing is inflated).
    """
    check_encoding(request)
    body = await _read(request, request.app.state.tunewright.settings.body_limit)
    request.state.body_sha256 = hashlib.sha256(body).hexdigest()
    if empty and not body.strip():
        return {}
    return with_engine(parse(body), request.path_params.get("engine"))


def with_engine(body: dict[str, Any], engine: str | None) -> dict[str, Any]:
    """SDK 0.28 can name the model in the path, `/v1/engines/{engine}/…`, and then not in the body.

    Raises BadRequest where both name one and differ.
    """
    if engine is None:
        return body
    if body.get("model") not in (None, engine):
        raise BadRequest(
            f"The path names the model `{engine}` and the body another one. Give only one of them.",
            param="model",
            code="invalid_value",
        )
    return {**body, "model": engine}


def parse(body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise _malformed("the body is empty")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _malformed(str(error)) from None
    if not isinstance(value, dict):
        raise BadRequest("We expected a JSON object as the body of your request.")
    _check_depth(value)
    return value


def read_query(request: Request) -> dict[str, Any]:
    """The query as the fields of a page request: whole numbers become integers."""
    return {
        key: int(text)
        if key == "limit" and text.lstrip("-").isdecimal() and len(text) < 12
        else text
        for key, text in request.query_params.items()
    }


def check_encoding(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMediaType(
            f"Content-Encoding '{encoding}' is not supported. Send the body uncompressed."
        )


async def _read(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in request.stream():
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            pieces.append(piece)
    except ClientDisconnect:
        raise BadRequest("The client left before its request was complete.") from None
    return b"".join(pieces)


def _check_depth(value: Any) -> None:
    """Nothing that we take is deep; what is deep is meant to exhaust a recursive reader."""
    layer: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        layer = [child for item in layer for child in _children(item)]
        if not layer:
            return
    raise _malformed(f"it is nested more than {MAX_DEPTH} deep")


def _children(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return [v for v in item.values() if isinstance(v, dict | list)]
    return [v for v in item if isinstance(v, dict | list)]


def _malformed(reason: str) -> BadRequest:
    return BadRequest(
        f"We could not parse the JSON body of your request: {reason}. The body must be one JSON "
        "object in UTF-8."
    )


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body of the request is larger than {limit} bytes.")
