"""Chat completions with any chat base or tuned model."""

from collections.abc import Callable, Iterator
from typing import Any

from tunewright.errors import TunewrightError
from tunewright.records.completions import (
    AssistantMessage,
    ChatChoice,
    ChatCompletion,
    ChatRequest,
)
from tunewright.records.models import Weights
from tunewright.records.record import new_id, now
from tunewright.rendering import Renderer
from tunewright.resources.generating import End, Event, Text
from tunewright.resources.models import Models
from tunewright.resources.prepared import Collected, Prepared, prepare
from tunewright.serving.client import EngineClient


class Chat:
    def __init__(
        self, models: Models, engine: EngineClient, renderer: Callable[[Weights], Renderer]
    ) -> None:
        self._models = models
        self._engine = engine
        self._renderer = renderer

    def prepare(self, request: ChatRequest) -> Prepared:
        """Everything that can be refused is refused here, before the first byte of an answer."""
        weights = self._models.weights(request.model, ("chat",))
        renderer = self._renderer(weights)
        prompt = renderer.prompt([message.plain() for message in request.messages])
        return prepare(
            request,
            weights,
            self._models,
            self._engine,
            renderer,
            [prompt],
            request.token_limit,
        )

    def create(self, /, **given: Any) -> ChatCompletion:
        """`given`: the fields of `ChatRequest`."""
        request: ChatRequest = ChatRequest.parse(given)
        prepared = self.prepare(request)
        collected = Collected(request.n or 1, prepared.prompt_tokens)
        for event in prepared.generation:
            collected.take(event)
        return completion(prepared, collected)

    def stream(self, /, **given: Any) -> Iterator[dict[str, Any]]:
        """The chunks of a streamed answer, as wire objects. `given` as for `create`."""
        request: ChatRequest = ChatRequest.parse(given)
        prepared = self.prepare(request)
        chunks = Chunks(request, prepared)
        yield from chunks.opening()
        for event in prepared.generation:
            yield chunks.chunk(event)
        yield from chunks.closing()


def completion(prepared: Prepared, collected: Collected) -> ChatCompletion:
    return ChatCompletion(
        model=prepared.model,
        choices=[
            ChatChoice(
                index=index,
                message=AssistantMessage(content="".join(pieces)),
                finish_reason=collected.reasons[index],
            )
            for index, pieces in enumerate(collected.texts)
        ],
        usage=collected.usage,
        system_fingerprint=prepared.fingerprint,
    )


class Chunks:
    """Events as `chat.completion.chunk` objects. Never a key `error`: SDK 0.28.1 trips on it."""

    def __init__(self, request: ChatRequest, prepared: Prepared) -> None:
        self._n = request.n or 1
        options = request.stream_options
        self._with_usage = bool(options and options.include_usage)
        self._collected = Collected(self._n, prepared.prompt_tokens)
        self._head: dict[str, Any] = {
            "id": new_id("chatcmpl-"),
            "object": "chat.completion.chunk",
            "created": now(),
            "model": prepared.model,
            "system_fingerprint": prepared.fingerprint,
        }

    def opening(self) -> Iterator[dict[str, Any]]:
        for index in range(self._n):
            yield self._choice(index, {"role": "assistant", "content": "", "refusal": None})

    def chunk(self, event: Event) -> dict[str, Any]:
        """Raises the event where it is an error."""
        if isinstance(event, TunewrightError):
            raise event
        self._collected.take(event)
        if isinstance(event, Text):
            return self._choice(event.index, {"content": event.text})
        return self._choice(event.index, {}, event)

    def closing(self) -> Iterator[dict[str, Any]]:
        if self._with_usage:
            yield {**self._head, "choices": [], "usage": self._collected.usage.wire()}

    def _choice(self, index: int, delta: dict[str, Any], end: End | None = None) -> dict[str, Any]:
        choice = {
            "index": index,
            "delta": delta,
            "logprobs": None,
            "finish_reason": end.reason if end else None,
        }
        usage = {"usage": None} if self._with_usage else {}
        return {**self._head, "choices": [choice], **usage}
