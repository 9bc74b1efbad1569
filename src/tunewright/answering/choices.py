"""One choice in flight: its tokens become text, cut at stop strings, with their
log-probabilities."""

import codecs
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from tunewright.errors import TunewrightError
from tunewright.generation.generator import Logprob, Request
from tunewright.records.completions import FinishReason
from tunewright.records.messages import MadeCall
from tunewright.rendering import Renderer
from tunewright.serving.client import Delta, Done, EngineEvent, Handle


@dataclass(frozen=True)
class ShownToken:
    """A token of the text, where it is told of. `offset`: where it begins, in characters.

    `logprob` is None for the first token of a prompt, which nothing foretells.
    """

    id: int
    offset: int
    logprob: float | None
    top: list[tuple[int, float]]


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
    reason: FinishReason
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


class Choice:
    """Takes the engine's events and gives those for the client."""

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

    def take(self, event: EngineEvent) -> Iterator[Event]:
        if self._silent and isinstance(event, Delta | Done):
            self._silent = False
            yield self._prompt(event.prompt if isinstance(event, Delta) else [])
        if isinstance(event, Delta):
            yield from self._say(self._stops.push(self._push(event)))
        elif isinstance(event, Done):
            rest = self._text.finish()
            self._held_logprobs.grow(rest)
            yield from self._say(self._stops.push(rest))
            if not self.ended:
                yield from self._say(self._stops.rest(), last=True)
                yield self._end(event.reason)

    def stop(self) -> None:
        self.ended = True
        handle, self.handle = self.handle, None  # it leads back here: a circle
        if handle is not None:
            handle.cancel()

    def _push(self, event: Delta) -> str:
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

    def _say(self, text: str, *, last: bool = False) -> Iterator[Event]:
        tokens = self._held_logprobs.shown(len(text), cut=self._stops.hit, last=last)
        if text or tokens:
            yield TextEvent(self.index, text, tokens)
        if self._stops.hit and not self.ended:
            yield self._end("stop")

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

    def _end(self, reason: FinishReason) -> EndEvent:
        self.ended = True
        return EndEvent(self.index, reason, self._tokens, self._logprob / max(self._tokens, 1))


_Characters = codecs.getincrementaldecoder("utf-8")


class HeldLogprobs:
    """Holds log-probabilities back until the text of their tokens is shown.

    Where a stop string cuts the text, a token that began before the cut is the last one.
    """

    def __init__(self, origin: int) -> None:
        """`origin`: the offset of the first token."""
        self._origin = origin
        self._grown = 0  # characters that the tokens so far have made
        self._shown = 0
        self._growing: list[Logprob] = []  # tokens of a character that is not whole yet
        self._held: deque[tuple[int, int, list[Logprob]]] = deque()  # start, end

    def add(self, logprob: Logprob) -> None:
        self._growing.append(logprob)

    def grow(self, text: str) -> None:
        """The tokens added since the last growth make `text`."""
        if text and self._growing:
            self._held.append((self._grown, self._grown + len(text), self._growing))
            self._growing = []
        self._grown += len(text)

    def shown(self, characters: int, *, cut: bool, last: bool) -> list[ShownToken]:
        """The tokens that so many more characters show: of a `cut` text, those that began."""
        self._shown += characters
        found: list[ShownToken] = []
        while self._held:
            start, end, logprobs = self._held[0]
            if not (start < self._shown if cut else end <= self._shown):
                break
            found += self._tokens(start, logprobs)
            self._held.popleft()
        if last:
            found += self._tokens(self._grown, self._growing)
        return found

    def _tokens(self, start: int, logprobs: list[Logprob]) -> list[ShownToken]:
        offset = self._origin + start
        return [ShownToken(item.token, offset, item.logprob, item.top) for item in logprobs]


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
