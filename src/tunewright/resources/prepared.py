"""From a request to choices in flight: model, renderer, limits. Shared by chat and completions."""

import functools
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

from tunewright.errors import BadRequest, MissingExtra
from tunewright.generation.generator import ModelSpec
from tunewright.records.completions import FinishReason, Sampling, Usage
from tunewright.records.models import Weights
from tunewright.rendering import Renderer
from tunewright.resources.generating import End, Event, Generation, Text, Wish
from tunewright.resources.models import Models
from tunewright.serving.client import EngineClient


@dataclass(frozen=True)
class Prepared:
    """A request that passed every check. `prompt_tokens` counts each prompt once."""

    model: str
    fingerprint: str
    prompt_tokens: int
    generation: Generation


def model_spec(models: Models, weights: Weights) -> ModelSpec:
    """What the engine is told about a model."""
    adapter = models.adapter(weights)
    return ModelSpec(
        key=weights.id,
        base=str(models.directory(weights)),
        adapter=str(adapter) if adapter else None,
        fingerprint=weights.base_fingerprint,
    )


def system_fingerprint(weights: Weights) -> str:
    return f"fp_{weights.base_fingerprint[:10]}"


def prepare(
    request: Sampling,
    weights: Weights,
    models: Models,
    engine: EngineClient,
    renderer: Renderer,
    prompts: Sequence[list[int]],
    token_limit: int | None,
) -> Prepared:
    """Lay out `n` choices for every prompt. Raises BadRequest where a prompt leaves no room."""
    _need_torch()
    subject = "messages" if renderer.is_chat else "prompt"
    wishes = [
        Wish(
            prompt=prompt,
            max_tokens=_room(renderer, prompt, token_limit, subject),
            temperature=1.0 if request.temperature is None else request.temperature,
            top_p=1.0 if request.top_p is None else request.top_p,
            seed=None if request.seed is None else request.seed + choice,
        )
        for prompt in prompts
        for choice in range(request.n or 1)
    ]
    generation = Generation(engine, model_spec(models, weights), renderer, wishes, request.stops())
    return Prepared(
        model=request.model,
        fingerprint=system_fingerprint(weights),
        prompt_tokens=sum(map(len, prompts)),
        generation=generation,
    )


@functools.cache
def _torch_there() -> bool:
    return importlib.util.find_spec("torch") is not None


def _need_torch() -> None:
    if not _torch_there():
        raise MissingExtra("Generating text", "train")


def _room(renderer: Renderer, prompt: list[int], token_limit: int | None, subject: str) -> int:
    room = renderer.context - len(prompt)
    if room < 1:
        raise BadRequest(
            f"This model's maximum context length is {renderer.context} tokens. However, your "
            f"{subject} resulted in {len(prompt)} tokens. Please reduce their length.",
            param=subject,
            code="context_length_exceeded",
        )
    return min(room, token_limit) if token_limit else room


class Collected:
    """What the events of one request add up to."""

    def __init__(self, choices: int, prompt_tokens: int) -> None:
        self.texts: list[list[str]] = [[] for _ in range(choices)]
        self.reasons: list[FinishReason] = ["stop"] * choices
        self._prompt_tokens = prompt_tokens
        self._tokens = 0

    def take(self, event: Event) -> None:
        """Add one event; raises it where it is an error."""
        if isinstance(event, Text):
            self.texts[event.index].append(event.text)
        elif isinstance(event, End):
            self.reasons[event.index] = event.reason
            self._tokens += event.tokens
        else:
            raise event

    @property
    def usage(self) -> Usage:
        return Usage(
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._tokens,
            total_tokens=self._prompt_tokens + self._tokens,
        )
