from starlette.requests import Request
from starlette.responses import Response

from tunewright.api.acting import acting
from tunewright.api.bodies import MAX_IDS, read
from tunewright.api.call import Call
from tunewright.api.crowd import Visit, lanes
from tunewright.api.responses import PiecewiseResponse, json_bytes, tell
from tunewright.api.turns import by_turns
from tunewright.api.unread import notice
from tunewright.app import Acting
from tunewright.embedding.embedder import Embedded
from tunewright.records.embeddings import EmbeddingList, EmbeddingRequest
from tunewright.resources.embeddings import base64_vectors
from tunewright.stepwise import Steps


async def create(request: Request) -> Response:
    asked: EmbeddingRequest = await read(request, EmbeddingRequest.parse, most=MAX_IDS)
    steps = _answer(acting(request), asked)
    response = await by_turns(request, lanes(request).embedding, steps)
    Visit.of(request).hold(len(response.body))
    return response


def _answer(caller: Acting, asked: EmbeddingRequest) -> Steps[Response]:
    embedded, answering = yield from caller.embeddings.embedding(asked)
    yield
    response = PiecewiseResponse(_body(asked, embedded), media_type="application/json")
    if unknown := sum(embedded.unknown):
        response.headers["tunewright-unknown-tokens"] = str(unknown)
        notice(asked.model, answering.model, unknown, sum(embedded.tokens))
    if embedded.chunked:
        response.headers["tunewright-chunked-inputs"] = str(embedded.chunked)
    return tell(response, answering)


def _body(asked: EmbeddingRequest, embedded: Embedded) -> bytes:
    """The same object as `Embeddings.create` gives, written without a record for each vector."""
    as_text = asked.encoding_format == "base64"
    vectors = base64_vectors(embedded.vectors) if as_text else list(embedded.vectors)
    total = sum(embedded.tokens)
    return json_bytes(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": vector}
                for index, vector in enumerate(vectors)
            ],
            "model": asked.model,
            "usage": {"prompt_tokens": total, "total_tokens": total},
        }
    )


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
