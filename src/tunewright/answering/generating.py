"""A request in flight: its tokens on their way from the engine become events, and these an answer.

The chat and completion resources turn them into wire objects.
"""

import codecs
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from tunewright.answering.logprobs import HeldLogprobs, ShownToken
from tunewright.answering.stop_strings import StopStrings
from tunewright.errors import TunewrightError
from tunewright.generation.generator import Logprob, Request
from tunewright.records.completions import FinishReason, Usage
from tunewright.records.messages import MadeCall
from tunewright.rendering import Renderer
from tunewright.serving.client import Delta, Done, EngineEvent, Failed, Handle, Submit

_Characters = codecs.getincrementaldecoder("utf-8")


@dataclass(frozen=True)
class TextEvent:
    """New text of a choice, and the tokens that are shown by it, where they are asked for."""

    index: int
    text: str
    tokens: list[ShownToken] = field(default_factory=list)


@dataclass(frozen=True)
class EndEvent:
    """A choice has ended. `tokens`: how many it cost, the stop token left out.

    `mean`: the average log-probability of a token, where it is asked for; 0 of none.
    """

    index: int
    finish_reason: FinishReason
    tokens: int
    mean: float = 0.0


@dataclass(frozen=True)
class ToolCallEvent:
    """A choice calls a function. `at`: which of its calls, from 0."""

    index: int
    at: int
    call: MadeCall


Event = TextEvent | ToolCallEvent | EndEvent | TunewrightError


@dataclass(frozen=True)
class ChoiceRequest:
    """What one choice is to be. `prompt`: its text, `hidden`: its leading tokens without any.

    With `echo` the prompt begins the answer's text. Offsets count from the prompt's start.
    """

    request: Request
    prompt: str = ""
    hidden: int = 0
    echo: bool = False


class Generation:
    """All choices of one request. `start` once; iterate, or give `start` a callback.

    The callback runs on the engine client's reader thread and must not block.
    """

    def __init__(
        self,
        submit: Submit,
        renderer: Renderer,
        requests: Sequence[ChoiceRequest],
        stops: list[str],
    ) -> None:
        self._to_engine = submit
        self._choices = [
            Choice(index, asked, renderer, stops) for index, asked in enumerate(requests)
        ]
        self._left = len(self._choices)
        self._release: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._emit: Callable[[Event | None], None] = lambda _: None

    def start(self, emit: Callable[[Event | None], None]) -> None:
        """Begin. `emit` gets every event, and None after the last one (or after an error)."""
        self._emit = emit
        try:
            self._release = self._to_engine.reserve(len(self._choices))
        except TunewrightError as error:
            self._end_with(error)
        for choice in self._choices:
            if not self._left:
                break
            choice.handle = self._to_engine(choice.asked.request, partial(self._on, choice))
            if choice.ended:  # before there was a handle to stop it by
                choice.stop()
        if not self._left:
            self._release()

    def cancel(self) -> None:
        """Stop whatever still runs; nothing is emitted afterwards."""
        with self._lock:
            self._left = 0
        for choice in self._choices:
            choice.stop()
        self._release()

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

    def _on(self, choice: "Choice", event: EngineEvent) -> None:
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
                    self._release()
                    self._emit(None)

    def _end_with(self, error: TunewrightError) -> None:
        self._pass_on(error)
        with self._lock:
            open_, self._left = self._left, 0
        if open_:
            self._emit(None)
        for choice in self._choices:
            choice.stop()
        self._release()


class Choice:
    """One choice in flight: its tokens become text, cut at stop strings, with their
    log-probabilities. Takes the engine's events and gives those for the client."""

    def __init__(
        self, index: int, asked: ChoiceRequest, renderer: Renderer, stops: list[str]
    ) -> None:
        self.index = index
        self.asked = asked
        self.handle: Handle | None = None
        self.ended = False
        self._tokens = 0
        self._logprob = 0.0  # of all tokens together
        self._text = renderer.detokenizer()
        self._stops = StopStrings(stops)
        self._held_logprobs = HeldLogprobs(len(asked.prompt))
        self._renderer = renderer
        self._silent = asked.echo  # until the prompt has been said

    def take(self, event: Delta | Done) -> Iterator[Event]:
        if self._silent:
            self._silent = False
            yield self._prompt(event.prompt if isinstance(event, Delta) else [])
        ended = event.reason if isinstance(event, Done) else None
        shown = self._stops.push(self._read(event))
        shown += self._stops.rest() if ended else ""
        hit = self._stops.hit
        tokens = self._held_logprobs.shown(len(shown), cut=hit, last=bool(ended) and not hit)
        if shown or tokens:
            yield TextEvent(self.index, shown, tokens)
        if reason := "stop" if hit else ended:
            self.ended = True
            mean = self._logprob / max(self._tokens, 1)
            yield EndEvent(self.index, reason, self._tokens, mean)

    def stop(self) -> None:
        self.ended = True
        handle, self.handle = self.handle, None  # it leads back here: a circle
        if handle is not None:
            handle.cancel()

    def _read(self, event: Delta | Done) -> str:
        """The text of new tokens, or of what the end cuts off in the midst of a character."""
        if isinstance(event, Done):
            rest = self._text.finish()
            self._held_logprobs.grow(rest)
            return rest
        self._tokens += len(event.ids)
        if not event.logprobs:
            return self._text.push(event.ids)
        texts: list[str] = []
        for logprob in event.logprobs:
            texts.append(self._text.push([logprob.token]))
            self._logprob += logprob.logprob
            self._held_logprobs.add(logprob)
            self._held_logprobs.grow(texts[-1])
        return "".join(texts)

    def _prompt(self, logprobs: list[Logprob]) -> TextEvent:
        asked, tokens, offset = self.asked, list[ShownToken](), 0
        ids = asked.request.prompt[asked.hidden :] if asked.request.prompt_logprobs else []
        # A token inside a character begins where the character does.
        characters = _Characters(errors="ignore")
        for at, id in enumerate(ids):
            known = logprobs[asked.hidden + at - 1] if at else None
            value, top = (known.logprob, known.top) if known else (None, [])
            tokens.append(ShownToken(id, offset, value, top))
            offset += len(characters.decode(self._renderer.pieces.bytes(id)))
        return TextEvent(self.index, asked.prompt, tokens)


class Outputs:
    """What the events of one request add up to, by choice."""

    def __init__(self, count: int, prompt_tokens: int) -> None:
        self.texts: list[list[str]] = [[] for _ in range(count)]
        self.tokens: list[list[ShownToken]] = [[] for _ in range(count)]
        self.calls: list[list[MadeCall]] = [[] for _ in range(count)]
        self.reasons: list[FinishReason] = ["stop"] * count
        self.means = [0.0] * count
        self._prompt_tokens = prompt_tokens
        self._tokens = 0

    def take(self, event: Event) -> None:
        """Add one event; raises it where it is an error."""
        if isinstance(event, TextEvent):
            self.texts[event.index].append(event.text)
            self.tokens[event.index] += event.tokens
        elif isinstance(event, ToolCallEvent):
            self.calls[event.index].append(event.call)
        elif isinstance(event, EndEvent):
            self.reasons[event.index] = event.finish_reason
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
