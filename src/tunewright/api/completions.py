from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tunewright.api.acting import acting
from tunewright.api.bodies import read_json
from tunewright.api.responses import record_response, tell
from tunewright.api.streaming import collect, stream
from tunewright.records.completions import CompletionRequest
from tunewright.resources.answers import Collected
from tunewright.resources.completions import Chunks, completion


async def create(request: Request) -> Response:
    asked: CompletionRequest = CompletionRequest.parse(await read_json(request))
    prepared = await run_in_threadpool(acting(request).completions.prepare, asked)
    if asked.stream:
        return tell(await stream(prepared.generation, Chunks(asked, prepared)), prepared.answering)
    collected = Collected(prepared)
    if not await collect(request, prepared.generation, collected):
        return Response(status_code=499)
    return tell(record_response(completion(asked, prepared, collected)), prepared.answering)


routes = [Route("/v1/completions", create, methods=["POST"])]
