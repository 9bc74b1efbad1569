"""Answers as bytes."""

import math
from typing import Any

import orjson
from starlette.responses import Response

from tunewright.errors import TunewrightError
from tunewright.records.record import Record
from tunewright.resources.naming import Answering


def json_bytes(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def json_response(value: Any, status: int = 200) -> Response:
    return Response(json_bytes(value), status, media_type="application/json")


def record_response(record: Record) -> Response:
    return Response(record.model_dump_json().encode(), media_type="application/json")


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
