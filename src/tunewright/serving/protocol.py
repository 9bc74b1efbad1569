"""Frames between the engine and its clients: 4-byte big-endian length, then a JSON object.

Client to engine, `id` chosen by the client and unique on its connection:

    submit {id, seconds, request}    cancel {id}    ping {id}
    score  {id, seconds, model, rows}    load {id, model}    unload {id, key}
    embed  {id, seconds, source, inputs, skips}

Engine to client:

    prompt {id, prompt}    delta {id, ids, logprobs?}    done {id, reason}
    scores {id, rows}    ok {id}    error {id, name, status, code, param, message}
    vectors {id, places, rows}: binary

`prompt` frames bring a prompt's log-probabilities in parts; they belong to the next delta.
`vectors` frames bring some of the rows of an `embed`, in the order in which they were computed.
Every frame but `cancel`, `prompt`, `delta` and `vectors` opens or ends one call: exactly one of
done, scores, ok or error ends it; after a cancel there is none. `seconds` is the call's deadline. A
log-probability is [token, logprob, [[token, logprob], ...]].

A binary frame has the highest bit of its length set. It holds id (8 bytes), the number n of rows
and d of their components (4 each), big-endian; then, little-endian, n places (uint32: which input a
row belongs to) and the rows (float32 [n, d]).

JSON and numbers, never pickle: a frame cannot become code.
"""

import os
import socket
import struct
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tunewright import errors
from tunewright.errors import BadRequest, TunewrightError, Unavailable
from tunewright.generation.generator import Logprob, ModelSpec, Request, Scores

FRAME_LIMIT = 16 * 1024 * 1024
LOGPROBS = 4096  # of a prompt in one frame: with 20 alternatives each some 3 MB
# sockaddr_un holds 108 bytes on Linux and 104 on macOS, the closing zero included.
_ADDRESS_LIMIT = 103
_LENGTH = struct.Struct(">I")
_BINARY = 1 << 31
_VECTORS = struct.Struct(">QII")
_PLACE, _COMPONENT = np.dtype("<u4"), np.dtype("<f4")
DIMENSIONS = 1 << 16  # of a vector, at most: whoever receives one makes room for all of them
VECTOR_BYTES = 1024 * 1024  # of rows in one frame: what is behind it need not wait long

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

    Raises ProtocolError for a frame that is cut off, too long, or neither a JSON object nor rows.
    """
    head = _exactly(sock, _LENGTH.size, may_end=True)
    if head is None:
        return None
    (marked,) = _LENGTH.unpack(head)
    length, binary = marked & ~_BINARY, marked & _BINARY
    if length > FRAME_LIMIT:
        raise ProtocolError(f"a frame of {length} bytes; at most {FRAME_LIMIT} are allowed")
    body = _exactly(sock, length) or b""
    return _vectors(body) if binary else _parsed(body)


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


def vector_frames(id: int, places: Sequence[int], rows: NDArray[np.float32]) -> Iterator[bytes]:
    """Frames of about VECTOR_BYTES that bring `rows` [n, d], d >= 1, of the inputs at `places` [n].

    Raises BadRequest for more than DIMENSIONS components."""
    if rows.shape[1] > DIMENSIONS:
        raise BadRequest(f"Its vectors have {rows.shape[1]} components; {DIMENSIONS} are possible.")
    each = _PLACE.itemsize + rows.shape[1] * _COMPONENT.itemsize
    most = max(1, VECTOR_BYTES // each)
    for start in range(0, len(rows), most):
        part, at = rows[start : start + most], places[start : start + most]
        body = _VECTORS.pack(id, *part.shape)
        body += np.asarray(at, _PLACE).tobytes() + part.astype(_COMPONENT).tobytes()
        yield _LENGTH.pack(len(body) | _BINARY) + body


def _vectors(body: bytes) -> Message:
    """`rows` and `places` are views of the frame, whose length bounds them."""
    if len(body) < _VECTORS.size:
        raise ProtocolError("a binary frame that is too short")
    id, n, d = _VECTORS.unpack_from(body)
    places = n * _PLACE.itemsize
    if (
        not n
        or not 0 < d <= DIMENSIONS
        or len(body) != _VECTORS.size + places + n * d * _COMPONENT.itemsize
    ):
        raise ProtocolError(f"a binary frame of {len(body)} bytes that says {n} rows of {d}")
    rows = np.frombuffer(body, _COMPONENT, n * d, _VECTORS.size + places).reshape(n, d)
    return {
        "op": "vectors",
        "id": id,
        "places": np.frombuffer(body, _PLACE, n, _VECTORS.size),
        "rows": rows,
    }


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
        # A path may hold half a surrogate pair: what is wrong must be said all the same.
        "message": error.message.encode("utf-8", "replace").decode(),
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
