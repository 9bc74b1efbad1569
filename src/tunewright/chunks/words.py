"""Texts and queries as words, so that SQLite's FTS5 finds the ones in the others.

FTS5's own tokenizer parts text at what is neither letter nor digit, so a sentence of a script that
writes no blanks would be one word. Here each letter of such a script is a word, and a query asks
for each two that are neighbours. What a client sends is never FTS5's syntax: words alone are taken
from it, each between quotation marks.

`VERSION` counts the ways of `spaced`: what was indexed in one way cannot be removed in another.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

VERSION = 1
MOST_WORDS = 256
"""Of one query: 4,096 characters may be a thousand."""

# Thai and Lao, Burmese, Khmer, kana, Han
_UNPARTED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)
_LETTER = re.compile(f"[{_UNPARTED}]")
_RUN = re.compile(f"[{_UNPARTED}]+|[^{_UNPARTED}]+")


def spaced(text: str) -> str:
    """A chunk as it is indexed."""
    return _LETTER.sub(r" \g<0> ", text)


def expression(query: str) -> str | None:
    """What FTS5 is asked: any of the words. None where the query has none."""
    phrases = list(dict.fromkeys(_phrases(query)))[:MOST_WORDS]
    return " OR ".join(f'"{phrase}"' for phrase in phrases) or None


def _phrases(query: str) -> Iterator[str]:
    for word in "".join(c if _in_word(c) else " " for c in query).split():
        for run in _RUN.findall(word):
            if not _LETTER.match(run) or len(run) == 1:
                yield run
            else:
                yield from (f"{one} {next}" for one, next in pairwise(run))


def _in_word(letter: str) -> bool:
    """Marks too: in many scripts a word is not whole without them."""
    return letter.isalnum() or unicodedata.category(letter)[0] == "M"
