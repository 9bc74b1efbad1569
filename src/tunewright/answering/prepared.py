"""From a request to choices in flight: model, renderer, limits. Shared by chat and completions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from tunewright.answering.generating import ChoiceRequest, Generation, Outputs
from tunewright.answering.model import Answering, answering, check_vocabulary
from tunewright.errors import BadRequest
from tunewright.generation.generator import ModelSpec, Request, SamplingParams
from tunewright.records.completions import Sampling
from tunewright.records.models import Weights
from tunewright.rendering import Renderer
from tunewright.rendering.pieces import Pieces
from tunewright.serving.client import Submit


@dataclass(frozen=True)
class Prepared:
    """A request that passed every check. `prompt_tokens` counts each prompt once."""

    model: str
    fingerprint: str
    prompt_tokens: int
    choices: int
    generation: Generation
    pieces: Pieces
    answering: Answering

    def outputs(self) -> Outputs:
        """What its events are to add up to."""
        return Outputs(self.choices, self.prompt_tokens)


@dataclass(frozen=True)
class Prompt:
    """Token ids, the text that they stand for, and how many at their head stand for none of it."""

    ids: list[int]
    text: str = ""
    hidden: int = 0


def system_fingerprint(weights: Weights) -> str:
    """The base's content, and of a tuned model what ends its own name: whatever name it was called
    by, it tells which one answered."""
    own = "-".join(weights.id.split(":")[4:])  # no base has a colon in its name
    return f"fp_{weights.base_fingerprint[:10]}{own and '_'}{own}"


def check(request: Sampling) -> None:
    """Refuse what would be passed over: options of a stream where none is asked for."""
    if request.stream_options and not request.stream:
        raise BadRequest(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )


def prepare(
    request: Sampling,
    weights: Weights,
    spec: ModelSpec,
    engine: Submit,
    renderer: Renderer,
    prompts: Sequence[Prompt],
    more: Mapping[str, Any],
    *,
    echo: bool = False,
) -> Prepared:
    """Lay out the choices for every prompt. `more`: further fields of the engine's `Request`.
    Raises BadRequest where a prompt leaves no room, and as `engine.check` does."""
    engine.check(len(prompts) * request.tries)
    if request.logit_bias:
        check_vocabulary(request.model, weights, "logit_bias")
    requests = list(_requests(request, spec, renderer, prompts, more, echo))
    return Prepared(
        model=request.model,
        fingerprint=system_fingerprint(weights),
        prompt_tokens=sum(len(prompt.ids) for prompt in prompts),
        choices=len(requests),
        generation=Generation(engine, renderer, requests, request.stops()),
        pieces=renderer.pieces,
        answering=answering(request.model, weights).noticing(_unread(renderer, prompts)),
    )


def _unread(renderer: Renderer, prompts: Sequence[Prompt]) -> list[str]:
    return ["unknown_tokens"] if any(renderer.unknown(prompt.ids) for prompt in prompts) else []


def _requests(
    request: Sampling,
    spec: ModelSpec,
    renderer: Renderer,
    prompts: Sequence[Prompt],
    more: Mapping[str, Any],
    echo: bool,
) -> Iterator[ChoiceRequest]:
    """One for each choice of each prompt. What the request gives of `SamplingParams` is passed on
    by its name; what is null is left out."""
    given = {field.name: getattr(request, field.name) for field in fields(SamplingParams)}
    given["logit_bias"] = request.biases()
    params = {name: value for name, value in given.items() if value is not None}
    for prompt in prompts:
        room, most = renderer.context - len(prompt.ids), request.token_limit
        if room < (most != 0):
            raise renderer.room.too_long(len(prompt.ids))
        params["max_tokens"] = room if most is None else min(room, most)
        for choice in range(request.tries):
            if request.seed is not None:
                params["seed"] = derived(request.seed, choice)
            row = Request(choice, spec, prompt.ids, stop_ids=renderer.stop_ids, **params, **more)
            yield ChoiceRequest(row, prompt.text, prompt.hidden, echo)


def derived(seed: int, choice: int) -> int:
    """The seed of the choice of that number: each its own, the first the one that was given, all
    integers of 64 bits, as they must be to reach the engine."""
    found = seed + choice
    return found if found < 1 << 64 else found - (1 << 64)
