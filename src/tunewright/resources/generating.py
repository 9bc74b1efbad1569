"""Choices in flight: token ids from the engine become text, with stop strings applied.

The engine knows tokens only. Here they are detokenised, cut at stop strings, and handed on as
`Text` and `End` events, which the chat and completion resources turn into wire objects.
"""

import itertools
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tunewright.errors import TunewrightError
from tunewright.generation.generator import ModelSpec, Request
from tunewright.records.completions import FinishReason
from tunewright.rendering import Renderer
from tunewright.serving.client import Delta, Done, EngineClient, EngineEvent, Failed, Handle


@dataclass(frozen=True)
class Text:
    index: int
    text: str


@dataclass(frozen=True)
class End:
    """A choice has ended. `tokens`: how many it cost, the stop token left out."""

    index: int
    reason: FinishReason
    tokens: int


Event = Text | End | TunewrightError


@dataclass(frozen=True)
class Wish:
    """What one choice is asked for, in tokens."""

    prompt: list[int]
    max_tokens: int
    temperature: float
    top_p: float
    seed: int | None


class Generation:
    """All choices of one request. `start` once; iterate, or give `start` a callback.

    The callback runs on the engine client's reader thread and must not block.
    """

    def __init__(
        self,
        engine: EngineClient,
        spec: ModelSpec,
        renderer: Renderer,
        wishes: Sequence[Wish],
        stops: list[str],
    ) -> None:
        self._engine = engine
        self._spec = spec
        self._renderer = renderer
        self._choices = [_Choice(index, wish, renderer, stops) for index, wish in enumerate(wishes)]
        self._left = len(self._choices)
        self._lock = threading.Lock()
        self._emit: Callable[[Event | None], None] = lambda _: None

    def start(self, emit: Callable[[Event | None], None]) -> None:
        """Begin. `emit` gets every event, and None after the last one (or after an error)."""
        self._emit = emit
        try:
            for choice in self._choices:
                self._submit(choice)
        except TunewrightError as error:
            self._end_with(error)

    def cancel(self) -> None:
        """Stop whatever still runs; nothing is emitted afterwards."""
        with self._lock:
            self._left = 0
        for choice in self._choices:
            choice.stop()

    def __iter__(self) -> Iterator[Event]:
        events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.start(events.put)
        try:
            while (event := events.get()) is not None:
                if isinstance(event, TunewrightError):
                    raise event
                yield event
        finally:
            self.cancel()

    def _submit(self, choice: "_Choice") -> None:
        wish = choice.wish
        request = Request(
            id=next(_IDS),
            model=self._spec,
            prompt=wish.prompt,
            max_tokens=wish.max_tokens,
            temperature=wish.temperature,
            top_p=wish.top_p,
            seed=wish.seed,
            stop_ids=self._renderer.stop_ids,
        )
        choice.handle = self._engine.submit(request, lambda event: self._on(choice, event))

    def _on(self, choice: "_Choice", event: EngineEvent) -> None:
        if choice.ended:
            return
        if isinstance(event, Failed):
            self._end_with(event.error)
            return
        for out in choice.take(event):
            self._pass_on(out)
        if choice.ended:
            choice.stop()
            self._count_down()

    def _pass_on(self, event: Event) -> None:
        with self._lock:
            if self._left:
                self._emit(event)

    def _count_down(self) -> None:
        with self._lock:
            if self._left:
                self._left -= 1
                if not self._left:
                    self._emit(None)

    def _end_with(self, error: TunewrightError) -> None:
        self._pass_on(error)
        with self._lock:
            open_, self._left = self._left, 0
        if open_:
            self._emit(None)
        for choice in self._choices:
            choice.stop()


class _Choice:
    def __init__(self, index: int, wish: Wish, renderer: Renderer, stops: list[str]) -> None:
        self.index = index
        self.wish = wish
        self.handle: Handle | None = None
        self.ended = False
        self._tokens = 0
        self._text = renderer.detokenizer()
        self._stops = StopStrings(stops)

    def take(self, event: EngineEvent) -> Iterator[Event]:
        if isinstance(event, Delta):
            self._tokens += len(event.ids)
            text = self._text.push(event.ids)
            yield from self._say(self._stops.push(text))
        elif isinstance(event, Done):
            yield from self._say(self._stops.push(self._text.finish()))
            if not self.ended:
                yield from self._say(self._stops.rest())
                yield self._end(event.reason)

    def stop(self) -> None:
        self.ended = True
        if self.handle is not None:
            self.handle.cancel()

    def _say(self, text: str) -> Iterator[Event]:
        if text:
            yield Text(self.index, text)
        if self._stops.hit and not self.ended:
            yield self._end("stop")

    def _end(self, reason: FinishReason) -> End:
        self.ended = True
        return End(self.index, reason, self._tokens)


class StopStrings:
    """Cuts a growing text before the first stop string, holding back what may become one."""

    def __init__(self, stops: list[str]) -> None:
        self._stops = stops
        self._held = ""
        self.hit = False

    def push(self, text: str) -> str:
        """The text that is safe to show now."""
        if self.hit:
            return ""
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.hit = True
            return self._held[: min(found)]
        keep = self._may_begin_a_stop()
        shown, self._held = self._held[: len(self._held) - keep], self._held[-keep:] if keep else ""
        return shown

    def rest(self) -> str:
        """What was held back, once no more text comes."""
        rest, self._held = self._held, ""
        return "" if self.hit else rest

    def _may_begin_a_stop(self) -> int:
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                return length
        return 0


_IDS = itertools.count(1)
