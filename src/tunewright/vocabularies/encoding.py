"""Texts to the tokens that OpenAI counts, by a published vocabulary."""

import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as OneAfterTheOther

from tunewright.errors import BadRequest
from tunewright.stepwise import batches
from tunewright.vocabularies.finding import absent, find, ranks
from tunewright.vocabularies.published import PUBLISHED

_FIRST = " "  # before the first word of a text; others stand between spaces and hold none
_LONGEST_WORD = 40  # characters
_MOST_WORDS = 1 << 16  # kept, some 10 MB
_LONG = 1 << 20  # characters encoded at once where that can be: each may take 200 bytes
# Where every pattern of `PUBLISHED` cuts, whatever stands around it.
_CUT = re.compile(r"(?<=\S)(?= \S)|(?<=\S\n)(?=[a-zA-Z])")


class Encoding:
    """Counts tokens as OpenAI does: the ids are those of tiktoken, whatever the text.

    Texts are plain text, whatever special tokens they spell. Safe to share among threads, which
    count at the same time.
    """

    def __init__(self, name: str, content: bytes) -> None:
        """`content`: of the vocabulary's file. Raises Corrupt where that is no vocabulary."""
        found = ranks(name, content)
        self.name = name
        self._words: dict[str, int] = {}  # tokens of a word, as `_parts` gives it
        self._sizes = np.zeros(max(found.values()) + 1, np.int64)  # bytes of each token
        for token, id in found.items():
            self._sizes[id] = len(token)
        self._tokenizer = _tokenizer(found, PUBLISHED[name].pattern)

    def encode(self, text: str) -> list[int]:
        return list(
            itertools.chain.from_iterable(self._encode([each])[0] for each in _pieces(text))
        )

    def _encode(self, texts: list[str]) -> list[list[int]]:
        try:
            found = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        except TypeError:  # half a surrogate pair
            texts = [_replaced(text) for text in texts]
            found = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [each.ids for each in found]

    def counts(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """The tokens of each text, [texts].

        Every pattern of `PUBLISHED` cuts before a space that stands between two characters which
        are none, so a text of such has as many tokens as its words together, and few words of a
        file are new. Other texts are encoded whole.
        """
        parts = [_parts(text) for text in texts]
        words = self._known(parts)
        found = [self._total(words, of_text) for of_text in parts]
        others = [at for at, number in enumerate(found) if number < 0]
        counted = self._encoded([texts[at] for at in others])
        for at, number in zip(others, counted.tolist(), strict=True):
            found[at] = number
        return np.array(found, dtype=np.int64)

    def _known(self, parts: list[list[str]]) -> dict[str, int]:
        """The tokens of words, those of `parts` among them, but for words that may not be cut out.

        Threads share what is known; one that finds it full begins anew, and no other loses what it
        holds.
        """
        words = self._words
        new = set[str]().union(*parts).difference(words)
        new = [word for word in new if _may_be_cut_out(word)]
        if len(words) + len(new) > _MOST_WORDS:
            self._words = words = {}
            new = [word for word in set[str]().union(*parts) if _may_be_cut_out(word)]
        inner = [word for word in new if word[:1] not in ("", _FIRST)]
        words.update(zip(inner, self._between_spaces(inner).tolist(), strict=True))
        others = [word for word in new if word[:1] in ("", _FIRST)]
        as_written = [word[1:] or " " for word in others]
        words.update(zip(others, self._encoded(as_written).tolist(), strict=True))
        return words

    def _between_spaces(self, words: Sequence[str]) -> NDArray[np.int64]:
        """The tokens of each word with the space before it. They are encoded as one text; where a
        word ends, the bytes of the tokens tell."""
        words = [_replaced(word) for word in words]
        ids = np.array(self.encode(" ".join(["", *words])), np.int64)
        ends = np.cumsum([1 + len(word.encode()) for word in words])
        return np.diff(np.searchsorted(np.cumsum(self._sizes[ids]), ends) + 1, prepend=0)

    @staticmethod
    def _total(words: dict[str, int], parts: list[str]) -> int:
        try:
            return sum(map(words.__getitem__, parts))
        except KeyError:
            return -1

    def _encoded(self, texts: Sequence[str]) -> NDArray[np.int64]:
        found: list[int] = []
        for batch in batches(texts, _LONG):
            ids = self._encode(batch) if len(batch) > 1 else [self.encode(batch[0])]
            found += map(len, ids)
        return np.array(found, np.int64)


def _tokenizer(ranks: dict[bytes, int], pattern: str) -> Tokenizer:
    """The published merges are given by their results alone: whatever two tokens make up a third
    may be merged, the lowest of such first."""
    letters = _letters()
    vocabulary = {token.decode("latin-1").translate(letters): id for token, id in ranks.items()}
    merges = [
        (text[:cut], text[cut:])
        for text in vocabulary
        for cut in range(1, len(text))
        if text[:cut] in vocabulary and text[cut:] in vocabulary
    ]
    made = Tokenizer(BPE(vocabulary, merges, ignore_merges=True))
    made.pre_tokenizer = OneAfterTheOther(
        [Split(Regex(pattern), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    return made


def _letters() -> dict[int, int]:
    """The letter that `ByteLevel` writes for each byte: itself where it is printed, else the next
    that is not among those."""
    printed = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(0x100) if byte not in printed]
    return {byte: 0x100 + place for place, byte in enumerate(others)}


def _replaced(text: str) -> str:
    """Without half surrogate pairs, which no UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > _LONG:
        cut = _CUT.search(text, start + _LONG)
        if cut is None:
            break
        yield text[start : cut.start()]
        start = cut.start()
    yield text[start:]


def _parts(text: str) -> list[str]:
    """What stands between spaces; the first, before which there is none, behind a mark. Nothing
    between two spaces is a token of its own; of three or more, what they are together counts."""
    if "   " in text or text.endswith(" "):
        return [_FIRST]
    parts = text.split(" ")
    parts[0] = _FIRST + parts[0]
    return parts


def _may_be_cut_out(word: str) -> bool:
    """Not where more white space stands beside a space; and what is long is seldom seen again."""
    if not word:
        return True
    bare = word.removeprefix(_FIRST)
    return 0 < len(bare) <= _LONGEST_WORD and not (bare[0].isspace() or bare[-1].isspace())


def open_encoding(name: str, own: Path) -> Encoding:
    """Raises BadRequest for an unknown name, or saying where the file is looked for, if this
    machine has none. Never looks beyond this machine."""
    if name not in PUBLISHED:
        known = ", ".join(PUBLISHED)
        raise BadRequest(f"There is no encoding '{name}'; known are: {known}.", param="encoding")
    content = find(name, own)
    if content is None:
        raise BadRequest(
            f"{absent(name)} Nothing is fetched here; where there is a network, `python -c "
            f"\"import tiktoken; tiktoken.get_encoding('{name}')\"` brings it.",
            param="encoding",
            code="vocabulary_unavailable",
        )
    return _opened(name, content)


@functools.lru_cache(maxsize=len(PUBLISHED))
def _opened(name: str, content: bytes) -> Encoding:
    """Once in a process: it takes a second of a processor, whoever counts."""
    return Encoding(name, content)


def count(string: str, encoding_name: str, own: Path) -> int:
    """Tokens of one text; the encoding is kept open. Raises what `open_encoding` raises."""
    return len(open_encoding(encoding_name, own).encode(string))
