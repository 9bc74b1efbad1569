from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tunewright.api.acting import acting
from tunewright.api.bodies import read
from tunewright.api.crowd import Visit, lanes
from tunewright.api.responses import record_response, tell
from tunewright.api.streaming import collect, stream
from tunewright.api.turns import by_turns
from tunewright.records.completions import ChatRequest
from tunewright.resources.answers import Collected
from tunewright.resources.chat import Chunks, completion


async def create(request: Request) -> Response:
    asked: ChatRequest = await read(request, ChatRequest.parse)
    Visit.of(request).enter(lanes(request).generating)
    steps = acting(request).chat.preparing(asked)
    prepared = await by_turns(request, lanes(request).preparing, steps)
    if asked.stream:
        answer = await stream(request, prepared.generation, Chunks(asked, prepared))
        return tell(answer, prepared.answering)
    collected = Collected(prepared)
    if not await collect(request, prepared.generation, collected):
        return Response(status_code=499)
    response = await run_in_threadpool(
        lambda: record_response(completion(asked, prepared, collected))
    )
    return tell(response, prepared.answering)


routes = [Route("/v1/chat/completions", create, methods=["POST"])]
