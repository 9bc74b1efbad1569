from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tunewright.api.acting import acting, usage
from tunewright.api.bodies import read_json
from tunewright.api.responses import json_response, tell
from tunewright.records.embeddings import EmbeddingRequest
from tunewright.resources.embeddings import base64_vectors


async def create(request: Request) -> Response:
    asked: EmbeddingRequest = EmbeddingRequest.parse(await read_json(request))
    caller = acting(request)
    embedded, answering = await run_in_threadpool(
        lambda: (caller.embeddings.embed(asked), caller.models.answering(asked.model))
    )
    as_text = asked.encoding_format == "base64"
    vectors = base64_vectors(embedded.vectors) if as_text else list(embedded.vectors)
    total = sum(embedded.tokens)
    usage(request).spend(caller.caller.organisation, total)
    # The same object as `Embeddings.create` gives, written without a record for each vector.
    response = json_response(
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
    if embedded.chunked:
        response.headers["tunewright-chunked-inputs"] = str(embedded.chunked)
    return tell(response, answering)


routes = [Route("/v1/embeddings", create, methods=["POST"])]
