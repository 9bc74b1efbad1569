"""Texts as words, in any script: what is searched by, and where a word ends.

Most scripts part words by blanks. Of those that do not (Chinese, Japanese, Thai ...), each two
letters that are neighbours count as a word: "无线耳机" is asked as 无线, 线耳 and 耳机.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

# Thai and Lao, Burmese, Khmer, kana, Han
UNPARTED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)
_RUN = re.compile(f"[{UNPARTED}]+|[^{UNPARTED}]+")
_UNPARTED_RUN = re.compile(f"[{UNPARTED}]+")
_ACCENT = re.compile(r"[\u0300-\u036f]")
_KEPT_S = ("us", "ss", "is")


def runs(text: str) -> Iterator[tuple[str, bool]]:
    """The words of a text as they are written, and whether one is a run of letters of a script
    without blanks. What is neither letter, digit nor mark parts them."""
    words = text.translate(_WORDS_ONLY).split()
    if text.isascii():
        yield from ((word, False) for word in words)
        return
    for word in words:
        for run in _RUN.findall(word):
            yield run, _UNPARTED_RUN.match(run) is not None


class _WordsOnly(dict[int, int]):
    """For `str.translate`: what is in no word becomes a blank. Ten times as fast as asking of each
    character of a text."""

    def __missing__(self, code: int) -> int:
        letter = chr(code)
        # Marks too: in many scripts a word is not whole without them.
        kept = letter.isalnum() or unicodedata.category(letter)[0] == "M"
        self[code] = code if kept else _BLANK
        return self[code]


_BLANK = ord(" ")
_WORDS_ONLY = _WordsOnly()


def pairs(run: str) -> Iterator[str]:
    """Each two neighbours; a letter that stands alone, itself."""
    if len(run) == 1:
        yield run
    yield from (one + other for one, other in pairwise(run))


def stored_words(text: str) -> list[str]:
    """What a text is found by, in its order: words without case, accents or the plural's s; of
    scripts without blanks each letter, and each two neighbours."""
    found: list[str] = []
    for run, unparted in runs(_folded(text)):
        if not unparted:
            found.append(singular(run))
            continue
        found += run
        if len(run) > 1:
            found += pairs(run)
    return found


def asked_words(query: str) -> list[str]:
    """What of `stored_words` is looked for, each once. Letters alone would find too much."""
    found: dict[str, None] = {}
    for run, unparted in runs(_folded(query)):
        found |= dict.fromkeys(pairs(run) if unparted else [singular(run)])
    return [*found]


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFC", _ACCENT.sub("", apart))


def singular(word: str) -> str:
    """Harman's S-stemmer (1991): of English plurals the singular; a word of another language that
    ends alike is changed alike in text and query."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(_KEPT_S):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    return word[:-1]
