"""Text completions with any completion base or model tuned from one."""

from collections.abc import Callable, Iterator
from typing import Any

from tunewright.records.completions import Completion, CompletionChoice, CompletionRequest
from tunewright.records.logprobs import CompletionLogprobs
from tunewright.records.models import Weights
from tunewright.rendering import Renderer
from tunewright.resources import answers
from tunewright.resources.answers import Collected
from tunewright.resources.choices import End, Text, Token
from tunewright.resources.logprobs import of_completion
from tunewright.resources.models import Models
from tunewright.resources.prepared import Asked, Prepared, Prompt, prepare
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
        prompts = [Prompt(renderer.completion_prompt(text), text) for text in request.prompts]
        asked = Asked(request.token_limit, request.n or 1, more={"logprobs": request.logprobs})
        return prepare(request, weights, self._models, self._engine, renderer, prompts, asked)

    def create(self, /, **given: Any) -> Completion:
        """`given`: the fields of `CompletionRequest`."""
        request: CompletionRequest = CompletionRequest.parse(given)
        prepared = self.prepare(request)
        collected = Collected(prepared)
        for event in prepared.generation:
            collected.take(event)
        return completion(request, prepared, collected)

    def stream(self, /, **given: Any) -> Iterator[dict[str, Any]]:
        """The chunks of a streamed answer, as wire objects. `given` as for `create`."""
        request: CompletionRequest = CompletionRequest.parse(given)
        prepared = self.prepare(request)
        chunks = Chunks(request, prepared)
        for event in prepared.generation:
            yield chunks.chunk(event)
        yield from chunks.closing()


def completion(request: CompletionRequest, prepared: Prepared, collected: Collected) -> Completion:
    return Completion(
        model=prepared.model,
        choices=[
            CompletionChoice(
                text="".join(pieces),
                index=index,
                logprobs=_logprobs(request, prepared, collected.tokens[index]),
                finish_reason=collected.reasons[index],
            )
            for index, pieces in enumerate(collected.texts)
        ],
        usage=collected.usage,
        system_fingerprint=prepared.fingerprint,
    )


def _logprobs(
    request: CompletionRequest, prepared: Prepared, tokens: list[Token]
) -> CompletionLogprobs | None:
    if request.logprobs is None:
        return None
    return of_completion(tokens, prepared.pieces, top=request.logprobs > 0)


class Chunks(answers.Chunks):
    object = "text_completion"
    prefix = "cmpl-"

    def __init__(self, request: CompletionRequest, prepared: Prepared) -> None:
        super().__init__(request, prepared)
        self._request = request
        self._prepared = prepared

    def _choice(self, event: Text | End) -> dict[str, Any]:
        if isinstance(event, End):
            return {"text": "", "logprobs": None}
        told = _logprobs(self._request, self._prepared, event.tokens)
        return {"text": event.text, "logprobs": told and told.wire()}
