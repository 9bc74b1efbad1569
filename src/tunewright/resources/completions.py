"""Text completions with any completion base or model tuned from one."""

from collections.abc import Callable, Iterator
from typing import Any

from tunewright.errors import TunewrightError
from tunewright.records.completions import Completion, CompletionChoice, CompletionRequest
from tunewright.records.models import Weights
from tunewright.records.record import new_id, now
from tunewright.rendering import Renderer
from tunewright.resources.generating import End, Event, Text
from tunewright.resources.models import Models
from tunewright.resources.prepared import Collected, Prepared, prepare
from tunewright.serving.client import EngineClient


class Completions:
    def __init__(
        self, models: Models, engine: EngineClient, renderer: Callable[[Weights], Renderer]
    ) -> None:
        self._models = models
        self._engine = engine
        self._renderer = renderer

    def prepare(self, request: CompletionRequest) -> Prepared:
        """Everything that can be refused is refused here, before the first byte of an answer."""
        weights = self._models.weights(request.model, ("completion",))
        renderer = self._renderer(weights)
        prompts = [renderer.completion_prompt(text) for text in request.prompts]
        return prepare(
            request,
            weights,
            self._models,
            self._engine,
            renderer,
            prompts,
            request.token_limit,
        )

    def create(self, /, **given: Any) -> Completion:
        """`given`: the fields of `CompletionRequest`."""
        request: CompletionRequest = CompletionRequest.parse(given)
        prepared = self.prepare(request)
        collected = Collected(choices(request), prepared.prompt_tokens)
        for event in prepared.generation:
            collected.take(event)
        return completion(prepared, collected)

    def stream(self, /, **given: Any) -> Iterator[dict[str, Any]]:
        """The chunks of a streamed answer, as wire objects. `given` as for `create`."""
        request: CompletionRequest = CompletionRequest.parse(given)
        prepared = self.prepare(request)
        chunks = Chunks(request, prepared)
        for event in prepared.generation:
            yield chunks.chunk(event)
        yield from chunks.closing()


def choices(request: CompletionRequest) -> int:
    return len(request.prompts) * (request.n or 1)


def completion(prepared: Prepared, collected: Collected) -> Completion:
    return Completion(
        model=prepared.model,
        choices=[
            CompletionChoice(
                text="".join(pieces), index=index, finish_reason=collected.reasons[index]
            )
            for index, pieces in enumerate(collected.texts)
        ],
        usage=collected.usage,
        system_fingerprint=prepared.fingerprint,
    )


class Chunks:
    """Events as streamed `text_completion` objects."""

    def __init__(self, request: CompletionRequest, prepared: Prepared) -> None:
        options = request.stream_options
        self._with_usage = bool(options and options.include_usage)
        self._collected = Collected(choices(request), prepared.prompt_tokens)
        self._head: dict[str, Any] = {
            "id": new_id("cmpl-"),
            "object": "text_completion",
            "created": now(),
            "model": prepared.model,
            "system_fingerprint": prepared.fingerprint,
        }

    def opening(self) -> Iterator[dict[str, Any]]:
        return iter(())

    def chunk(self, event: Event) -> dict[str, Any]:
        """Raises the event where it is an error."""
        if isinstance(event, TunewrightError):
            raise event
        self._collected.take(event)
        choice = {
            "index": event.index,
            "text": event.text if isinstance(event, Text) else "",
            "logprobs": None,
            "finish_reason": event.reason if isinstance(event, End) else None,
        }
        usage = {"usage": None} if self._with_usage else {}
        return {**self._head, "choices": [choice], **usage}

    def closing(self) -> Iterator[dict[str, Any]]:
        if self._with_usage:
            yield {**self._head, "choices": [], "usage": self._collected.usage.wire()}
