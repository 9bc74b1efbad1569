import asyncio
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tunewright.api import openapi
from tunewright.api.absent import no_such_url, stored_completions
from tunewright.api.calls import CALLS
from tunewright.api.crowd import Crowd, Lanes
from tunewright.api.gate import Gate
from tunewright.api.once import Once
from tunewright.api.responses import error_response, scarce
from tunewright.app import Tunewright
from tunewright.errors import (
    BadRequest,
    MethodNotAllowed,
    PayloadTooLarge,
    TunewrightError,
)


def create_api(tw: Tunewright) -> Starlette:
    """The ASGI application. Its state holds `tunewright`; each request's state holds `acting`."""
    app = Starlette(
        routes=routes(),
        middleware=[Middleware(Gate, tw=tw, calls=CALLS), Middleware(Crowd, settings=tw.settings)],
        exception_handlers={
            TunewrightError: _known_error,
            HTTPException: _http_error,
            OSError: _scarce,
            RuntimeError: _scarce,
            ClientDisconnect: _left,
        },
    )
    app.state.tunewright = tw
    app.state.lanes = Lanes(tw.settings)
    app.state.once = Once(tw.catalog)
    app.state.describe, app.state.document = openapi.document, None
    app.state.describing = asyncio.Lock()
    return app


def routes() -> list[Route]:
    """Every route there is, a call each. All under /v1 need a key. Those that are called most come
    first: the router tries one after the other, some 1 us each."""
    return [call.route for call in sorted(CALLS, key=lambda call: call.counts != "tokens")]


async def _known_error(request: Request, error: Any) -> Response:
    return error_response(error)


async def _http_error(request: Request, error: Any) -> Response:
    """The router's own refusals, in OpenAI's shape: SDK 0.28.1 cannot read any other."""
    method, path = request.method, request.url.path
    not_allowed = MethodNotAllowed(f"Not allowed: {method} {path}", code="method_not_supported")
    kinds: dict[int, TunewrightError] = {
        404: no_such_url(method, path),
        405: stored_completions(method, path) or not_allowed,
        413: PayloadTooLarge("The request is too large."),
    }
    return error_response(kinds.get(error.status_code, BadRequest(str(error.detail))))


async def _scarce(request: Request, error: Any) -> Response:
    return error_response(scarce(error))


async def _left(request: Request, error: Any) -> Response:
    return Response(status_code=499)  # nobody reads it
