"""What is told of tokens, as the wire has it."""

from collections.abc import Sequence
from typing import Any

from tunewright.answering.choices import ShownToken
from tunewright.records.logprobs import (
    ChatLogprobs,
    CompletionLogprobs,
    TokenLogprob,
    TopLogprob,
)
from tunewright.rendering.pieces import Pieces


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
