from starlette.requests import Request
from starlette.responses import Response

from tunewright.api.acting import acting
from tunewright.api.bodies import MAX_IDS, read
from tunewright.api.call import Call
from tunewright.api.crowd import Visit, lanes
from tunewright.api.responses import PiecewiseResponse, json_bytes, tell
from tunewright.api.turns import by_turns, in_turn
from tunewright.api.unread import notice
from tunewright.api.waiting import arrived
from tunewright.records.embeddings import EmbeddingList, EmbeddingRequest
from tunewright.resources.embeddings import Prepared, body

_FEW = 8  # vectors are written at once: a thread for it would take longer


async def create(request: Request) -> Response:
    asked: EmbeddingRequest = await read(request, EmbeddingRequest.parse, most=MAX_IDS)
    use, lane = acting(request).embeddings, lanes(request).tokenizing
    prepared = use.at_once(asked) or await by_turns(request, lane, use.preparing(asked))
    if not await arrived(request, prepared.vectors):
        return Response(status_code=499)
    few = len(asked.inputs) <= _FEW
    response = _answer(prepared) if few else await in_turn(request, lane, lambda: _answer(prepared))
    Visit.of(request).hold(len(response.body))
    return response


def _answer(prepared: Prepared) -> Response:
    embedded, asked, answering = prepared.embedded(), prepared.asked, prepared.answering
    response = PiecewiseResponse(json_bytes(body(asked, embedded)), media_type="application/json")
    if unknown := sum(embedded.unknown):
        response.headers["tunewright-unknown-tokens"] = str(unknown)
        notice(asked.model, answering.model, unknown, sum(embedded.tokens))
    if embedded.chunked:
        response.headers["tunewright-chunked-inputs"] = str(embedded.chunked)
    if embedded.truncated:
        response.headers["tunewright-truncated-inputs"] = str(embedded.truncated)
    return tell(response, answering)


calls = (
    Call(
        "POST",
        "/v1/embeddings",
        "embeddings.create",
        "Turn texts into vectors.",
        EmbeddingList,
        create,
        takes=EmbeddingRequest,
        counts="tokens",
    ),
)
