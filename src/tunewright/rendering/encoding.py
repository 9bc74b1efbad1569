"""Texts to ids; and texts that go on from each other, as the prompts of a conversation do."""

import re
from collections.abc import Sequence
from itertools import pairwise

import orjson
from tokenizers import Tokenizer

from tunewright.errors import BadRequest


def ids_of(tokenizer: Tokenizer, text: str, *, special: bool = False) -> list[int]:
    """`Tokenizer.encode` would hold the interpreter's lock: for seconds, where the text is long."""
    try:
        return tokenizer.encode_batch_fast([text], add_special_tokens=special)[0].ids
    except TypeError:
        raise BadRequest("A text holds half of a surrogate pair, not a character.") from None


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """The token that stands for whatever the vocabulary lacks, by the names that WordPiece,
    WordLevel and BPE, and that Unigram have for it; None where everything can be written."""
    if hasattr(tokenizer.model, "unk_token"):
        token = tokenizer.model.unk_token
        return None if token is None else tokenizer.token_to_id(token)
    return orjson.loads(tokenizer.to_str())["model"].get("unk_id")  # Unigram shows it nowhere else


class Cuts:
    """Where a tokenizer begins anew, whatever stands before: at its special tokens.

    Added tokens are found before anything else is done with a text, and what stands between two of
    them is tokenized by itself. Those that take white space before them, or want to be words, look
    at what stands there.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        added = [t for t in tokenizer.get_added_tokens_decoder().values() if not t.normalized]
        words = sorted((token.content for token in added), key=len, reverse=True)
        self.longest = max(map(len, words), default=0)
        if any(token.single_word for token in added):
            words = []
        self._pattern = re.compile("|".join(map(re.escape, words)) or r"(?!)")
        self._unfit = {token.content for token in added if token.lstrip}

    def of(self, text: str) -> list[int]:
        """The places in `text`, in characters, beyond its beginning."""
        found = self._pattern.finditer(text)
        return [m.start() for m in found if m.start() and m[0] not in self._unfit]


class Growing:
    """Encodes texts one after the other; what a text has in common with the one before, up to a
    cut, is not tokenized again."""

    def __init__(self, tokenizer: Tokenizer, cuts: Cuts) -> None:
        self._tokenizer, self._cuts = tokenizer, cuts
        self._text = ""
        self._ids: list[int] = []
        self._known: list[tuple[int, int]] = [(0, 0)]  # cuts: characters and ids before

    def encode(self, text: str) -> list[int]:
        """As `ids_of`."""
        self._keep(_common(self._text, text) - self._cuts.longest)
        start, _ = self._known[-1]
        rest = text[start:]
        places = [0, *self._cuts.of(rest), len(rest)]
        pieces = [rest[a:b] for a, b in pairwise(places)]
        for place, ids in zip(places[1:], _each(self._tokenizer, pieces), strict=True):
            self._ids += ids
            self._known.append((start + place, len(self._ids)))
        self._known.pop()  # the end of the text is no cut
        self._text = text
        return list(self._ids)

    def _keep(self, characters: int) -> None:
        """Forget what stands behind the last cut within so many characters."""
        while self._known[-1][0] > max(0, characters):
            self._known.pop()
        del self._ids[self._known[-1][1] :]


def _each(tokenizer: Tokenizer, pieces: Sequence[str]) -> list[list[int]]:
    if len(pieces) == 1:
        return [ids_of(tokenizer, pieces[0])]
    return [one.ids for one in tokenizer.encode_batch_fast(pieces, add_special_tokens=False)]


def _common(one: str, other: str) -> int:
    """How many characters both begin with, found by halves: comparing stretches is fast."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
