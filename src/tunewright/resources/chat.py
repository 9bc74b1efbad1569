"""Chat completions with any chat base or tuned model."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tunewright.answering import calling, chunks
from tunewright.answering.generating import EndEvent, Outputs, TextEvent, ToolCallEvent
from tunewright.answering.logprobs import ShownToken, of_chat
from tunewright.answering.prepared import Prepared, Prompt, check, prepare
from tunewright.errors import BadRequest
from tunewright.records.completions import (
    ChatChoice,
    ChatCompletion,
    ChatRequest,
)
from tunewright.records.logprobs import ChatLogprobs
from tunewright.records.models import Weights
from tunewright.rendering import Renderer
from tunewright.resources.models import Models
from tunewright.serving.client import Submit
from tunewright.stepwise import Steps, finish
from tunewright.usage import Quota


class Chat:
    def __init__(
        self,
        models: Models,
        engine: Submit,
        renderer: Callable[[Weights], Renderer],
        quota: Quota,
    ) -> None:
        self._models = models
        self._engine = engine
        self._renderer = renderer
        self._quota = quota

    def prepare(self, request: ChatRequest) -> Prepared:
        """Everything that can be refused is refused here, before the first byte of an answer."""
        return finish(self.preparing(request))

    def preparing(self, request: ChatRequest) -> Steps[Prepared]:
        """The same by steps."""
        _check(request)
        yield
        weights = self._models.weights(request.model, ("chat",))
        tools = calling.shown(request)
        renderer = self._renderer(weights).using(request.template_kwargs)
        renderer = calling.speaking(renderer, tools)
        messages = [message.plain() for message in request.messages]
        ids = renderer.prompt(messages, tools, bounded=True)
        yield
        more = {"logprobs": request.told, **calling.grammar(request, renderer, tools)}
        spec, prompts = self._models.spec(weights), [Prompt(ids)]
        made = prepare(request, weights, spec, self._engine, renderer, prompts, more)
        return replace(
            made,
            generation=calling.listening(made.generation, renderer, tools, request),
            answering=made.answering.noticing(renderer.notices(messages)),
        )

    def create(self, /, **given: Any) -> ChatCompletion:
        """`given`: the fields of `ChatRequest`."""
        self._quota.admit(tokens=True)
        request: ChatRequest = ChatRequest.parse(given)
        prepared = self.prepare(request)
        outputs = prepared.outputs()
        for event in prepared.generation:
            outputs.take(event)
        return completion(request, prepared, outputs)

    def stream(self, /, **given: Any) -> Iterator[dict[str, Any]]:
        """The chunks of a streamed answer, as wire objects. `given` as for `create`."""
        self._quota.admit(tokens=True)
        request: ChatRequest = ChatRequest.parse({**given, "stream": True})
        prepared = self.prepare(request)
        made = Chunks(request, prepared)
        yield from made.opening()
        for event in prepared.generation:
            yield made.chunk(event)
        yield from made.closing()


def completion(request: ChatRequest, prepared: Prepared, outputs: Outputs) -> ChatCompletion:
    return ChatCompletion(
        model=prepared.model,
        choices=[
            ChatChoice(
                index=index,
                message=calling.message(pieces, outputs.calls[index], request),
                logprobs=_logprobs(request, prepared, outputs.tokens[index]),
                finish_reason=outputs.reasons[index],
            )
            for index, pieces in enumerate(outputs.texts)
        ],
        usage=outputs.usage,
        system_fingerprint=prepared.fingerprint,
    )


def _check(request: ChatRequest) -> None:
    check(request)
    if request.max_tokens is not None and request.max_completion_tokens is not None:
        raise BadRequest(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported: "
            "'max_tokens' is the older name of the same limit. Leave it out.",
            param="max_tokens",
            code="invalid_parameter_combination",
        )
    if request.top_logprobs and not request.logprobs:
        raise BadRequest(
            "The 'top_logprobs' parameter is only allowed when 'logprobs' is true.",
            param="top_logprobs",
        )
    calling.check(request)


def _logprobs(
    request: ChatRequest, prepared: Prepared, tokens: list[ShownToken]
) -> ChatLogprobs | None:
    return of_chat(tokens, prepared.pieces) if request.logprobs else None


class Chunks(chunks.Chunks):
    object = "chat.completion.chunk"
    prefix = "chatcmpl-"

    def __init__(self, request: ChatRequest, prepared: Prepared) -> None:
        super().__init__(request, prepared)
        self._request = request
        self._prepared = prepared

    def opening(self) -> Iterator[dict[str, Any]]:
        delta = {"role": "assistant", "content": "", "refusal": None}
        for index in range(self._prepared.choices):
            yield self._chunk({"delta": delta, "logprobs": None}, TextEvent(index, ""))

    def _choice(self, event: TextEvent | ToolCallEvent | EndEvent) -> dict[str, Any]:
        if isinstance(event, EndEvent):
            return {"delta": {}, "logprobs": None}
        if isinstance(event, ToolCallEvent):
            return {"delta": calling.delta(event, self._request), "logprobs": None}
        told = _logprobs(self._request, self._prepared, event.tokens)
        return {"delta": {"content": event.text}, "logprobs": told and told.wire()}
