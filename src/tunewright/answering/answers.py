"""Events to answers, whole or in chunks: what chat and text completions share."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from tunewright.answering.choices import EndEvent, Event, ShownToken, TextEvent, ToolCallEvent
from tunewright.answering.prepared import Prepared
from tunewright.errors import TunewrightError
from tunewright.records.completions import FinishReason, Sampling, Usage
from tunewright.records.messages import MadeCall
from tunewright.records.record import new_id, now


class Outputs:
    """What the events of one request add up to, by choice."""

    def __init__(self, prepared: Prepared) -> None:
        count = prepared.choices
        self.texts: list[list[str]] = [[] for _ in range(count)]
        self.tokens: list[list[ShownToken]] = [[] for _ in range(count)]
        self.calls: list[list[MadeCall]] = [[] for _ in range(count)]
        self.reasons: list[FinishReason] = ["stop"] * count
        self.means = [0.0] * count
        self._prompt_tokens = prepared.prompt_tokens
        self._tokens = 0

    def take(self, event: Event) -> None:
        """Add one event; raises it where it is an error."""
        if isinstance(event, TextEvent):
            self.texts[event.index].append(event.text)
            self.tokens[event.index] += event.tokens
        elif isinstance(event, ToolCallEvent):
            self.calls[event.index].append(event.call)
        elif isinstance(event, EndEvent):
            self.reasons[event.index] = event.reason
            self.means[event.index] = event.mean
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


class Chunks(ABC):
    """Events as the objects of a stream. Never a key `error`: SDK 0.28.1 trips on it."""

    object: ClassVar[str]
    prefix: ClassVar[str]

    def __init__(self, request: Sampling, prepared: Prepared) -> None:
        options = request.stream_options
        self._with_usage = bool(options and options.include_usage)
        self._outputs = Outputs(prepared)
        self._head: dict[str, Any] = {
            "id": new_id(self.prefix),
            "object": self.object,
            "created": now(),
            "model": prepared.model,
            "system_fingerprint": prepared.fingerprint,
        }

    def opening(self) -> Iterator[dict[str, Any]]:
        """What comes before the first event."""
        return iter(())

    def chunk(self, event: Event) -> dict[str, Any]:
        """Raises the event where it is an error."""
        if isinstance(event, TunewrightError):
            raise event
        self._outputs.take(event)
        return self._chunk(self._choice(event), event)

    def closing(self) -> Iterator[dict[str, Any]]:
        if self._with_usage:
            yield {**self._head, "choices": [], "usage": self._outputs.usage.wire()}

    @abstractmethod
    def _choice(self, event: TextEvent | ToolCallEvent | EndEvent) -> dict[str, Any]:
        """What the event adds to its choice: a text or delta, and `logprobs`."""

    def _chunk(
        self, choice: dict[str, Any], event: TextEvent | ToolCallEvent | EndEvent
    ) -> dict[str, Any]:
        ended = event.reason if isinstance(event, EndEvent) else None
        choices = [{"index": event.index, **choice, "finish_reason": ended}]
        usage = {"usage": None} if self._with_usage else {}
        return {**self._head, "choices": choices, **usage}
