"""Chats and completions: read, prepared by turns, generated, and sent whole or as a stream."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tunewright.answering.generating import Outputs
from tunewright.api.acting import acting
from tunewright.api.bodies import MAX_IDS, MAX_VALUES, read
from tunewright.api.call import Call
from tunewright.api.crowd import Visit, lanes
from tunewright.api.responses import record_response, tell
from tunewright.api.streaming import collect, stream
from tunewright.api.turns import by_turns
from tunewright.app import Acting
from tunewright.records.completions import (
    ChatCompletion,
    ChatRequest,
    Completion,
    CompletionRequest,
)
from tunewright.records.record import Record
from tunewright.resources import chat, completions


@dataclass(frozen=True)
class _Form:
    """How an answer of one kind comes about. most: values in a body."""

    parse: Callable[[dict[str, Any]], Any]
    use: Callable[[Acting], Any]
    chunks: Callable[[Any, Any], Any]
    whole: Callable[[Any, Any, Outputs], Record]
    most: int

    async def __call__(self, request: Request) -> Response:
        asked = await read(request, self.parse, most=self.most)
        Visit.of(request).enter(lanes(request).generating)
        steps = self.use(acting(request)).preparing(asked)
        prepared = await by_turns(request, lanes(request).preparing, steps)
        if asked.stream:
            answer = await stream(request, prepared.generation, self.chunks(asked, prepared))
            return tell(answer, prepared.answering)
        outputs = prepared.outputs()
        if not await collect(request, prepared.generation, outputs):
            return Response(status_code=499)
        response = await run_in_threadpool(
            lambda: record_response(self.whole(asked, prepared, outputs))
        )
        return tell(response, prepared.answering)


create_chat = _Form(ChatRequest.parse, lambda it: it.chat, chat.Chunks, chat.completion, MAX_VALUES)
create_completion = _Form(
    CompletionRequest.parse,
    lambda it: it.completions,
    completions.Chunks,
    completions.completion,
    MAX_IDS,
)

calls = (
    Call(
        "POST",
        "/v1/chat/completions",
        "chat.completions.create",
        "Continue a chat.",
        ChatCompletion,
        create_chat,
        takes=ChatRequest,
        streams=True,
        counts="tokens",
    ),
    Call(
        "POST",
        "/v1/completions",
        "completions.create",
        "Continue a text.",
        Completion,
        create_completion,
        takes=CompletionRequest,
        streams=True,
        counts="tokens",
    ),
)
