"""Texts and queries as words, so that SQLite's FTS5 finds the ones in the others.

FTS5's own tokenizer parts text at what is neither letter nor digit, so a sentence of a script that
writes no blanks would be one word. Here each letter of such a script is a word, and a query asks
for each two that are neighbours. What a client sends is never FTS5's syntax: words alone are taken
from it, each between quotation marks.

`VERSION` counts the ways of `spaced`: what was indexed in one way cannot be removed in another.
"""

import re
from collections.abc import Iterator

from tunewright.analysis.words import UNPARTED, pairs, runs

VERSION = 1
MOST_WORDS = 256
"""Of one query: 4,096 characters may be a thousand."""

_LETTER = re.compile(f"[{UNPARTED}]")


def spaced(text: str) -> str:
    """A chunk as it is indexed."""
    return _LETTER.sub(r" \g<0> ", text)


def expression(query: str) -> str | None:
    """What FTS5 is asked: any of the words. None where the query has none."""
    phrases = list(dict.fromkeys(_phrases(query)))[:MOST_WORDS]
    return " OR ".join(f'"{phrase}"' for phrase in phrases) or None


def _phrases(query: str) -> Iterator[str]:
    for run, unparted in runs(query):
        yield from (" ".join(pair) for pair in pairs(run)) if unparted else (run,)
