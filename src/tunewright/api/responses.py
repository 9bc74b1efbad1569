"""Answers as bytes."""

import errno
import logging
import math
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tunewright.answering.model import Answering
from tunewright.errors import TunewrightError, Unavailable
from tunewright.records.pages import Page
from tunewright.records.record import Record

log = logging.getLogger(__name__)

PIECE = 256 * 1024
_SCARCE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
_LONG = 200  # records of a page


class PiecewiseResponse(Response):
    """Sends a large body in pieces: the next one when the client has read most of the last.

    Whole, it would lie in the connection's buffer for as long as the client does not read.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if len(self.body) <= PIECE:
            await super().__call__(scope, receive, send)
            return
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        body = memoryview(self.body)
        for at in range(0, len(body), PIECE):
            piece = bytes(body[at : at + PIECE])
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def json_bytes(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def json_response(value: Any, status: int = 200) -> Response:
    return Response(json_bytes(value), status, media_type="application/json")


def record_response(record: Record) -> Response:
    response = PiecewiseResponse(_bytes(record), media_type="application/json")
    if record.poll_after_ms is not None:  # what the SDKs' *_and_poll go by
        response.headers["openai-poll-after-ms"] = str(record.poll_after_ms)
    return response


def _bytes(record: Record) -> bytes:
    """A long page is written record by record: pydantic holds the interpreter's lock to the end of
    a call, which for 10,000 files is some 40 ms."""
    if not isinstance(record, Page) or len(record.data) < _LONG:
        return record.model_dump_json().encode()
    without = record.model_copy(update={"data": []}).model_dump_json().encode()
    before, empty, after = without.partition(b'"data":[]')
    assert empty
    return b'%b"data":[%b]%b' % (
        before,
        b",".join(each.model_dump_json().encode() for each in record.data),
        after,
    )


def tell(response: Response, answering: Answering) -> Response:
    """Say which model answered, whatever name it was called by."""
    response.headers["tunewright-model"] = answering.model
    if answering.warning:
        response.headers["tunewright-warning"] = answering.warning
    return response


def error_response(error: TunewrightError) -> Response:
    response = json_response(error.body(), error.status)
    response.headers.update(error_headers(error))
    return response


def error_headers(error: TunewrightError) -> dict[str, str]:
    """What the SDKs read of an error beside its body: whether to repeat the call, and when."""
    headers: dict[str, str] = {}
    if error.retry is not None:
        headers["x-should-retry"] = "true" if error.retry else "false"
    if error.retry_after is not None and error.retry is not False:
        headers["retry-after"] = str(math.ceil(error.retry_after))
        headers["retry-after-ms"] = str(math.ceil(error.retry_after * 1000))
    return headers


def scarce(error: OSError | RuntimeError) -> TunewrightError:
    """The answer to a request for which no file, thread or memory was left; an `error` that means
    something else is raised."""
    number = error.errno if isinstance(error, OSError) else None
    if number not in _SCARCE and "can't start new thread" not in str(error):
        raise error
    log.warning("a request is refused: %s", error)
    return Unavailable(
        "The server has no file or thread left for this request. Try again in a moment."
    )
