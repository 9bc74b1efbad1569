"""What a client sent, as Python values. Refuses what stock parsers let through.

A lone surrogate or NaN passes the standard library's parser and breaks the answer later: here
bytes must be UTF-8 and JSON in the strict sense, or the answer is 400 in OpenAI's shape.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from starlette.requests import ClientDisconnect, Request

from tunewright.api.crowd import Visit, lanes
from tunewright.api.scan import TooDeep, TooMany, scan
from tunewright.api.turns import by_turns
from tunewright.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType
from tunewright.stepwise import Steps, finish

T = TypeVar("T")

MAX_DEPTH = 64
MAX_VALUES = 50_000
MAX_IDS = 330_000  # token ids, of calls that take them: OpenAI's 300,000 and what is around them
SMALL = 4096  # bytes that are parsed at once: what a thread costs, and no more than a head
HEAVY = 64 * 1024
_WHOLE = re.compile(r"-?[0-9]{1,40}")
_REST = 2.0  # parsing holds the interpreter's lock: at most a third of the time, whatever comes


async def read_json(request: Request, *, empty: bool = False) -> dict[str, Any]:
    """The body of a request as a JSON object; `empty`: it may be left out."""
    return await read(request, lambda body: body, empty=empty)


async def read(
    request: Request,
    make: Callable[[dict[str, Any]], T],
    *,
    empty: bool = False,
    most: int = MAX_VALUES,
) -> T:
    """What `make` makes of the body's JSON object: the record of a request.

    All but the smallest are parsed and checked away from the event loop, by turns, one at a time.

    Raises BadRequest for anything else than an object, one of more than `most` values or deeper
    than MAX_DEPTH, PayloadTooLarge above `body_limit`, and UnsupportedMediaType for a compressed
    body (nothing is inflated).
    """
    check_encoding(request)
    body = await _read(request, request.app.state.tunewright.settings.body_limit)
    steps = _made(request, body, make, empty, most)
    if len(body) <= SMALL:
        return finish(steps)
    rest = _REST if len(body) > HEAVY else 0.0
    return await by_turns(request, lanes(request).bodies, steps, rest=rest)


def _made(
    request: Request,
    body: bytearray,
    make: Callable[[dict[str, Any]], T],
    empty: bool,
    most: int,
) -> Steps[T]:
    request.state.body_sha256 = hashlib.sha256(body).hexdigest()
    if empty and not body.strip():
        return make({})
    yield from _scanned(body, most)
    value = with_engine(parse(body), request.path_params.get("engine"))
    yield
    return make(value)


def _scanned(body: bytearray, most: int) -> Steps[None]:
    """Before anything is built of it: nothing that we take is large in number or deep."""
    if len(body) <= SMALL and body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return  # it can be neither
    try:
        yield from scan(body, most, MAX_DEPTH)
    except TooMany as error:
        where = f"Invalid '{error.param}': " if error.param else ""
        raise BadRequest(
            f"{where}The body of the request holds more than {most} values.",
            param=error.param,
            code="too_many_values",
        ) from None
    except TooDeep:
        raise _malformed(f"it is nested more than {MAX_DEPTH} levels deep") from None


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


def parse(body: bytes | bytearray) -> dict[str, Any]:
    if not body.strip():
        raise _malformed("the body is empty")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _malformed(str(error)) from None
    if not isinstance(value, dict):
        raise BadRequest("We expected a JSON object as the body of your request.")
    return value


def read_query(request: Request) -> dict[str, Any]:
    """The query as the fields of a page request: whole numbers become integers. Raises BadRequest
    for a field that is given twice."""
    fields: dict[str, Any] = {}
    for key, text in request.query_params.multi_items():
        if key in fields:
            raise BadRequest(f"'{key}' was given twice.", param=key)
        fields[key] = int(text) if key == "limit" and _WHOLE.fullmatch(text) else text
    return fields


def check_encoding(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMediaType(
            f"Content-Encoding '{encoding}' is not supported. Send the body uncompressed."
        )


async def _read(request: Request, limit: int) -> bytearray:
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    visit, body = Visit.of(request), bytearray()
    try:
        async for piece in request.stream():
            if len(body) + len(piece) > limit:
                raise _too_large(limit)
            visit.hold(len(piece))
            body += piece
    except ClientDisconnect:
        raise BadRequest("The client left before its request was complete.") from None
    return body


def _malformed(reason: str) -> BadRequest:
    return BadRequest(
        f"We could not parse the JSON body of your request: {reason}. The body must be one JSON "
        "object in UTF-8."
    )


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body of the request is larger than {limit} bytes.")
