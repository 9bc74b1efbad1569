"""Events to the chunks of a stream: what chat and text completions share."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from tunewright.answering.generating import EndEvent, Event, TextEvent, ToolCallEvent
from tunewright.answering.prepared import Prepared
from tunewright.errors import TunewrightError
from tunewright.records.completions import Sampling
from tunewright.records.record import new_id, now


class Chunks(ABC):
    """Events as the objects of a stream. Never a key `error`: SDK 0.28.1 trips on it."""

    object: ClassVar[str]
    prefix: ClassVar[str]

    def __init__(self, request: Sampling, prepared: Prepared) -> None:
        options = request.stream_options
        self._with_usage = bool(options and options.include_usage)
        self._outputs = prepared.outputs()
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
        ended = event.finish_reason if isinstance(event, EndEvent) else None
        choices = [{"index": event.index, **choice, "finish_reason": ended}]
        usage = {"usage": None} if self._with_usage else {}
        return {**self._head, "choices": choices, **usage}
