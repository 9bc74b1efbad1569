"""Frames between the engine and its clients: 4-byte big-endian length, then a JSON object.

Client to engine, `id` chosen by the client and unique on its connection:

    submit {id, seconds, request}    cancel {id}    ping {id}
    score  {id, seconds, model, rows}    load {id, model}    unload {id, key}

Engine to client:

    prompt {id, prompt}    delta {id, ids, logprobs?}    done {id, reason}
    scores {id, rows}    ok {id}    error {id, name, status, code, param, message}

`prompt` frames bring a prompt's log-probabilities in parts; they belong to the next delta.
Every frame but `cancel`, `prompt` and `delta` opens or ends one call: exactly one of done, scores,
ok or error ends it; after a cancel there is none. `seconds` is the call's deadline. A
log-probability is [token, logprob, [[token, logprob], ...]].

JSON and never pickle: a frame cannot become code.
"""

import os
import socket
import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from tunewright import errors
from tunewright.errors import BadRequest, TunewrightError, Unavailable
from tunewright.generation.generator import Logprob, ModelSpec, Request, Scores

FRAME_LIMIT = 16 * 1024 * 1024
LOGPROBS = 4096  # of a prompt in one frame: with 20 alternatives each some 3 MB
# sockaddr_un holds 108 bytes on Linux and 104 on macOS, the closing zero included.
_ADDRESS_LIMIT = 103
_LENGTH = struct.Struct(">I")

Message = dict[str, Any]


class ProtocolError(Exception):
    """The other side does not speak this protocol; the connection is of no further use."""


def pack(message: Message) -> bytes:
    """The frame of `message`. Raises BadRequest when it is longer than FRAME_LIMIT, or holds what
    JSON cannot."""
    try:
        body = orjson.dumps(message)
    except orjson.JSONEncodeError as error:
        raise BadRequest(f"This request cannot be passed to the engine: {error}.") from error
    if len(body) > FRAME_LIMIT:
        raise BadRequest(
            f"This request makes a message of {len(body)} bytes between the server's processes; "
            f"at most {FRAME_LIMIT} are possible. Please make it smaller."
        )
    return _LENGTH.pack(len(body)) + body


def receive(sock: socket.socket) -> Message | None:
    """The next message; None when the other side has closed between two frames.

    Raises ProtocolError for a frame that is cut off, too long, or not a JSON object.
    """
    head = _exactly(sock, _LENGTH.size, may_end=True)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > FRAME_LIMIT:
        raise ProtocolError(f"a frame of {length} bytes; at most {FRAME_LIMIT} are allowed")
    return _parsed(_exactly(sock, length) or b"")


def _exactly(sock: socket.socket, count: int, *, may_end: bool = False) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        part = sock.recv(min(count - len(data), 1 << 20))
        if not part:
            if may_end and not data:
                return None
            raise ProtocolError("the connection closed inside a frame")
        data += part
    return bytes(data)


def _parsed(body: bytes) -> Message:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProtocolError(f"a frame that is not JSON: {error}") from error
    if not isinstance(message, dict) or not isinstance(message.get("op"), str):
        raise ProtocolError("a frame that is not an object with an 'op'")
    return message


def request_fields(request: Request) -> Message:
    """A request without its id, which the connection's own replaces."""
    made: Message = {
        "model": asdict(request.model),
        "stop_ids": [*request.stop_ids],
        "logit_bias": [*request.logit_bias.items()],
    }
    fields = {**vars(request), **made}
    del fields["id"]
    return fields


def request_from(id: int, fields: Message) -> Request:
    """Raises ProtocolError for fields that do not make a request."""
    try:
        made: Message = {
            "id": id,
            "model": ModelSpec(**fields["model"]),
            "stop_ids": frozenset(fields["stop_ids"]),
            "logit_bias": dict(fields["logit_bias"]),
        }
        return Request(**{**fields, **made})
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"a request that cannot be read: {error}") from error


def parts(logprobs: list[Logprob] | None) -> Iterator[list[list[Any]]]:
    """Fields of log-probabilities, in parts that fit a frame: 130,000 with 5 alternatives each had
    20 MB."""
    for start in range(0, len(logprobs or []), LOGPROBS):
        yield logprob_fields((logprobs or [])[start : start + LOGPROBS])


def logprob_fields(logprobs: list[Logprob] | None) -> list[list[Any]]:
    return [[item.token, item.logprob, item.top] for item in logprobs or []]


def logprobs_from(fields: list[list[Any]]) -> list[Logprob]:
    return [Logprob(token, value, [(id, v) for id, v in top]) for token, value, top in fields]


def scores_from(fields: Message) -> Scores:
    return Scores(fields["logprobs"], [(token, a, b) for token, a, b in fields["top"]])


def error_fields(error: TunewrightError) -> Message:
    return {
        "name": type(error).__name__,
        "status": error.status,
        "code": error.code,
        "param": error.param,
        "message": error.message,
    }


def error_from(fields: Message) -> TunewrightError:
    """The error as it was raised; of a class this side does not know, Unavailable."""
    kind = getattr(errors, str(fields.get("name")), None)
    if not (isinstance(kind, type) and issubclass(kind, TunewrightError)):
        kind = Unavailable
    error = kind.__new__(kind)  # MissingExtra's own __init__ takes other arguments
    TunewrightError.__init__(
        error, fields["message"], param=fields.get("param"), code=fields.get("code")
    )
    return error


@contextmanager
def address(path: Path) -> Generator[str]:
    """A name for `path` that fits a socket address, good inside the block.

    Raises BadRequest for a long path where the system offers no way round it.
    """
    if path.is_symlink():  # made where sockets cannot be: `serving.keeper`
        path = path.parent / path.readlink()
    if len(os.fsencode(path)) <= _ADDRESS_LIMIT:
        yield str(path)
        return
    if not Path("/proc/self/fd").is_dir():
        raise BadRequest(f"{path} is too long for a socket. Choose a --home with a shorter path.")
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
