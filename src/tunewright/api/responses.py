"""Answers as bytes."""

from typing import Any

import orjson
from starlette.responses import Response

from tunewright.errors import TunewrightError
from tunewright.records.record import Record


def json_response(value: Any, status: int = 200) -> Response:
    return Response(
        orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY),
        status,
        media_type="application/json",
    )


def record_response(record: Record) -> Response:
    return Response(record.model_dump_json().encode(), media_type="application/json")


def error_response(error: TunewrightError) -> Response:
    response = json_response(error.body(), error.status)
    if error.retry is not None:
        response.headers["x-should-retry"] = "true" if error.retry else "false"
    return response
