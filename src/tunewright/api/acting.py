"""From a request to the use cases of the organisation whose key came with it."""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tunewright.api.responses import record_response
from tunewright.app import Acting
from tunewright.records.record import Record
from tunewright.usage import Usage


def acting(request: Request) -> Acting:
    return request.state.acting


def usage(request: Request) -> Usage:
    return request.app.state.tunewright.usage


async def answer(call: Callable[[], Record]) -> Response:
    """Run a use case in a thread, as they are synchronous, and send the record that it gives.

    For what reads. What writes to the catalog goes through `crowd.change` or `once.once`.
    """
    return await run_in_threadpool(lambda: record_response(call()))
