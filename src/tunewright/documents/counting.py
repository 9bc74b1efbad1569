"""How many tokens chunks have, without reading them again where their pieces tell.

Most tokenizers divide a text at blanks before anything else, so pieces that are cut there have as
many tokens as the whole. Counting each chunk as well takes twice as long as counting pieces, for
every text is in two chunks.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol
from weakref import WeakKeyDictionary

from tunewright.documents.pieces import Piece

_SAMPLE = (
    "The printer answers again, doesn't it?  Yes: 3,140.5 of 10 % (see p. 7).\n\nZu\u0308rich, "
    "naïve café – “quoted”;\ttabs.\n- a_b = f(x)[0] ** 2  # done\n\n\n"
    "https://example.com/a?b=c&d=%20e 東京の天気 明日。 Где аптека? مرحبا بالعالم "
    "😀 !!! <b>x</b> ANTIDISESTABLISHMENTARIANISM"
)
_APART = re.compile(r"(?<!\s)(?=\s)")


class Tokenizer(Protocol):
    """An `Embedder`, for one."""

    def count(self, texts: Sequence[str]) -> list[int]: ...


class Counting:
    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._adds_up = _adds_up(tokenizer)

    def of(self, runs: Sequence[Sequence[Piece]], texts: Sequence[str]) -> list[int]:
        """The tokens of each text, which its pieces make up but for blanks around it."""
        found = [sum(piece.tokens for piece in run) for run in runs]
        unsure = [at for at, run in enumerate(runs) if not (self._adds_up and _apart(run))]
        counted = self._tokenizer.count([texts[at] for at in unsure])
        for at, tokens in zip(unsure, counted, strict=True):
            found[at] = tokens
        return found


def _apart(run: Sequence[Piece]) -> bool:
    """Whether a blank lies between any two of its pieces."""
    return all(piece.apart for piece in run[:-1])


_KNOWN: WeakKeyDictionary[Tokenizer, bool] = WeakKeyDictionary()


def _adds_up(tokenizer: Tokenizer) -> bool:
    """Whether parts of a text that are cut in front of blanks have as many tokens as the whole,
    with these blanks and without."""
    with suppress(KeyError, TypeError):  # somebody else's class may not be a key
        return _KNOWN[tokenizer]
    parts = _APART.split(_SAMPLE)
    bare = [part.lstrip() for part in parts]
    whole, *each = tokenizer.count([_SAMPLE, *parts, *bare])
    found = sum(each[: len(parts)]) == sum(each[len(parts) :]) == whole
    with suppress(TypeError):
        _KNOWN[tokenizer] = found
    return found
