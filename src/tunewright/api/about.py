"""What is answered without a key: it says nothing that the source does not."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tunewright.api.call import JSON, Call
from tunewright.api.responses import PiecewiseResponse, json_bytes, json_response


async def health(request: Request) -> Response:
    if request.app.state.tunewright.processes.engine_hangs:  # it is ended soon; embeddings go on
        return json_response({"status": "degraded", "engine": "not responding"}, 503)
    return json_response({"status": "ok"})


async def document(request: Request) -> Response:
    """Generators and API browsers fetch it before anybody has typed a key. So anybody may ask for
    it, as often as they like: its bytes are made once, by the first of them."""
    state = request.app.state
    async with state.describing:
        if state.document is None:
            state.document = await run_in_threadpool(lambda: json_bytes(state.describe()))
    return PiecewiseResponse(state.document, media_type="application/json")


calls = (
    Call("GET", "/healthz", "health", "Whether the server answers.", JSON, health, open=True),
    Call("GET", "/openapi.json", "openapi", "This document.", JSON, document, open=True),
)
