"""TextEvent completions with any completion base or model tuned from one."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from tunewright.answering import chunks
from tunewright.answering.generating import EndEvent, Outputs, TextEvent, ToolCallEvent
from tunewright.answering.logprobs import ShownToken, of_completion
from tunewright.answering.model import check_vocabulary
from tunewright.answering.prepared import Prepared, Prompt, check, prepare
from tunewright.errors import BadRequest
from tunewright.records.completions import Completion, CompletionChoice, CompletionRequest
from tunewright.records.logprobs import CompletionLogprobs
from tunewright.records.models import Weights
from tunewright.rendering import Renderer
from tunewright.resources.models import Models
from tunewright.serving.client import Submit
from tunewright.stepwise import Steps, finish
from tunewright.usage import Quota


class Completions:
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

    def prepare(self, request: CompletionRequest) -> Prepared:
        """Everything that can be refused is refused here, before the first byte of an answer."""
        return finish(self.preparing(request))

    def preparing(self, request: CompletionRequest) -> Steps[Prepared]:
        """The same by steps."""
        _check(request)
        self._engine.check(len(request.prompts) * request.tries)
        weights = self._models.weights(request.model, ("completion",))
        renderer = self._renderer(weights)
        prompts: list[Prompt] = []
        for given in request.prompts:
            if not isinstance(given, str):
                check_vocabulary(request.model, weights, "prompt")
            prompts.append(_prompt(renderer, given))
            yield
        echo, more, spec = bool(request.echo), _logprobs_asked(request), self._models.spec(weights)
        return prepare(request, weights, spec, self._engine, renderer, prompts, more, echo=echo)

    def create(self, /, **given: Any) -> Completion:
        """`given`: the fields of `CompletionRequest`."""
        self._quota.admit(tokens=True)
        request: CompletionRequest = CompletionRequest.parse(given)
        prepared = self.prepare(request)
        outputs = prepared.outputs()
        for event in prepared.generation:
            outputs.take(event)
        return completion(request, prepared, outputs)

    def stream(self, /, **given: Any) -> Iterator[dict[str, Any]]:
        """The chunks of a streamed answer, as wire objects. `given` as for `create`."""
        self._quota.admit(tokens=True)
        request: CompletionRequest = CompletionRequest.parse({**given, "stream": True})
        prepared = self.prepare(request)
        made = Chunks(request, prepared)
        for event in prepared.generation:
            yield made.chunk(event)
        yield from made.closing()


def _prompt(renderer: Renderer, given: str | list[int]) -> Prompt:
    if not isinstance(given, str):
        if len(given) > renderer.context:
            raise renderer.room.too_long(len(given))
        return Prompt(given, renderer.pieces.text(given))
    renderer.room.check(given)
    ids = renderer.completion_prompt(given)
    # TextEvent never makes a special token: those at the head are the tokenizer's addition.
    hidden = itertools.takewhile(renderer.pieces.is_special, ids)
    return Prompt(ids, given, hidden=len(list(hidden)))


def completion(request: CompletionRequest, prepared: Prepared, outputs: Outputs) -> Completion:
    return Completion(
        model=prepared.model,
        choices=[
            CompletionChoice(
                text="".join(outputs.texts[at]),
                index=index,
                logprobs=_logprobs(request, prepared, outputs.tokens[at]),
                finish_reason=outputs.reasons[at],
            )
            for index, at in enumerate(_best(request, outputs.means))
        ],
        usage=outputs.usage,
        system_fingerprint=prepared.fingerprint,
    )


def _check(request: CompletionRequest) -> None:
    check(request)
    if request.tries < (request.n or 1):
        raise BadRequest(
            f"You requested that the server return more choices than it will generate (HINT: you "
            f"must set 'n' (currently {request.n}) to be at most 'best_of' (currently "
            f"{request.best_of})).",
            param="best_of",
        )
    if request.stream and request.tries > (request.n or 1):
        raise BadRequest(
            "'best_of' above 'n' cannot be streamed: which answers are best is known only at the "
            "end.",
            param="best_of",
        )


def _logprobs_asked(request: CompletionRequest) -> dict[str, object]:
    choosing = request.tries > (request.n or 1)
    told = 0 if choosing and request.logprobs is None else request.logprobs
    return {
        "logprobs": told,
        "prompt_logprobs": bool(request.echo) and request.logprobs is not None,
    }


def _best(request: CompletionRequest, means: list[float]) -> list[int]:
    """The choices to give: for each prompt the `n` whose tokens are likeliest on average."""
    kept: list[int] = []
    for start in range(0, len(means), request.tries):
        tries = range(start, start + request.tries)
        kept += sorted(tries, key=lambda at: -means[at])[: request.n or 1]
    return kept if request.best_of else list(range(len(means)))


def _logprobs(
    request: CompletionRequest, prepared: Prepared, tokens: list[ShownToken]
) -> CompletionLogprobs | None:
    if request.logprobs is None:
        return None
    return of_completion(tokens, prepared.pieces, top=request.logprobs > 0)


class Chunks(chunks.Chunks):
    object = "text_completion"
    prefix = "cmpl-"

    def __init__(self, request: CompletionRequest, prepared: Prepared) -> None:
        super().__init__(request, prepared)
        self._request = request
        self._prepared = prepared

    def _choice(self, event: TextEvent | ToolCallEvent | EndEvent) -> dict[str, Any]:
        if not isinstance(event, TextEvent):
            return {"text": "", "logprobs": None}
        told = _logprobs(self._request, self._prepared, event.tokens)
        return {"text": event.text, "logprobs": told and told.wire()}
