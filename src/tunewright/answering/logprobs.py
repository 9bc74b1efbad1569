"""What is told of tokens: held back until their text is shown, then as the wire has it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tunewright.generation.generator import Logprob
from tunewright.records.logprobs import (
    ChatLogprobs,
    CompletionLogprobs,
    TokenLogprob,
    TopLogprob,
)
from tunewright.rendering.pieces import Pieces


@dataclass(frozen=True)
class ShownToken:
    """A token of the text, where it is told of. `offset`: where it begins, in characters.

    `logprob` is None for the first token of a prompt, which nothing foretells.
    """

    id: int
    offset: int
    logprob: float | None
    top: list[tuple[int, float]]


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


def of_chat(tokens: Sequence[ShownToken], pieces: Pieces) -> ChatLogprobs:
    content: list[TokenLogprob] = []
    for token in tokens:
        top = [TopLogprob(**_told(id, value, pieces)) for id, value in token.top]
        own = _told(token.id, token.logprob or 0.0, pieces)
        content.append(TokenLogprob(**own, top_logprobs=top))
    return ChatLogprobs(content=content)


def of_completion(tokens: Sequence[ShownToken], pieces: Pieces, *, top: bool) -> CompletionLogprobs:
    """`top`: with the most likely tokens at each place, the one that was taken among them."""
    return CompletionLogprobs(
        tokens=[_name(token.id, pieces) for token in tokens],
        token_logprobs=[token.logprob for token in tokens],
        top_logprobs=[_top(token, pieces) for token in tokens] if top else None,
        text_offset=[token.offset for token in tokens],
    )


def _told(id: int, logprob: float, pieces: Pieces) -> dict[str, Any]:
    raw = pieces.bytes(id)
    return {"token": raw.decode(errors="replace"), "logprob": logprob, "bytes": list(raw)}


def _top(token: ShownToken, pieces: Pieces) -> dict[str, float] | None:
    if token.logprob is None:
        return None
    return {_name(id, pieces): value for id, value in [*token.top, (token.id, token.logprob)]}


def _name(id: int, pieces: Pieces) -> str:
    """Distinct for parts of characters too, since `top_logprobs` has names for keys."""
    raw = pieces.bytes(id)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)
