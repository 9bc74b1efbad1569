"""A text as small pieces with their tokens, each of which ends where a chunk may end.

Pieces are sentences and lines; those of too many tokens are divided further, at blanks and in the
end between any two characters. Everything is linear in the text: no pattern here looks back, and
what is divided gets shorter by a factor.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice, pairwise
from typing import NamedTuple, TypeAlias

from tunewright.documents.document import Document, Mark

Count: TypeAlias = Callable[[Sequence[str]], list[int]]

INSIDE, WORD, LINE, SENTENCE, PARAGRAPH, HEADING = range(6)  # how good a place to end is
# Each alternative takes whatever it can and needs nothing behind it, or a run of a million full
# stops would be read a million times.
_ENDS = re.compile(r"[.!?…。！？｡]++[\"'”’)\]」』）]*+(\n\s*+)?+|(\n\s*+)")
_ALWAYS = re.compile("[。！？｡]")  # ends a sentence though no blank follows
_BLANKS = (" ", "\n", "\t", "\r")  # that all tokenizers divide at; Python knows more
_USUAL = 4  # characters of a token: what is longer is divided before it is counted
_SPARSE = 32  # characters that count as a token at least: blanks and unreadable words have few
_AT_ONCE = 256  # pieces whose tokens are counted together
_NEAR = 32  # characters, of those before an end, in which a blank is looked for
_CLUSTER = 32  # characters that may be one to the eye, and are not divided


class Piece(NamedTuple):
    """Characters `start` to `end` with `tokens`. `size`: as many, or more where they have hardly
    any. `after`: how good a place its end is. `apart`: whether a blank follows."""

    start: int
    end: int
    tokens: int
    size: int
    after: int
    apart: bool


_Span: TypeAlias = tuple[int, int, int]  # start, end, how good a place its end is


def pieces(document: Document, count: Count, most: int) -> Iterator[Piece]:
    """They cover the text without a gap, and are of size `most` at most, but for a single character
    that has more tokens. A blank belongs to the piece after it, as most tokenizers have it."""
    text = document.text
    longest = _USUAL * most
    spans = chain.from_iterable(
        _divided(text, span, -(-(span[1] - span[0]) // longest)) for span in _spans(document)
    )
    while some := list(islice(spans, _AT_ONCE)):
        yield from _counted(text, some, count, most)


def _counted(text: str, spans: list[_Span], count: Count, most: int) -> Iterator[Piece]:
    tokens = count([text[start:end] for start, end, _ in spans])
    for span, found in zip(spans, tokens, strict=True):
        start, end, good = span
        size = max(found, -(-(end - start) // _SPARSE))
        parts = list(_divided(text, span, -(-size // most))) if size > most else [span]
        if len(parts) > 1:
            yield from _counted(text, parts, count, most)
        else:
            yield Piece(start, end, found, size, good, text[end : end + 1] in _BLANKS)


def _spans(document: Document) -> Iterator[_Span]:
    """Between all places where sentences, lines, paragraphs, pages and headings end."""
    text, start = document.text, 0
    marks = _Marks(document.marks)
    for place, until, good in chain(_places(text), [(len(text), len(text), HEADING)]):
        for at, better in marks.before(place):
            if at > start:
                yield start, at, better
                start = at
        good = max([good, *(better for _, better in marks.before(until + 1))])
        if place > start:
            yield start, place, good
            start = place


def _places(text: str) -> Iterator[tuple[int, int, int]]:
    """(end, end of the blank lines that follow, how good a place it is)"""
    for found in _ENDS.finditer(text):
        lines = 1 if found.start(1) >= 0 else 2
        at, until = found.span(lines)
        if at >= 0:
            several = text.count("\n", at, until) > 1
            yield at, until, PARAGRAPH if several else SENTENCE if lines == 1 else LINE
        elif text[found.end() : found.end() + 1].isspace() or _ALWAYS.search(found[0]):
            yield found.end(), found.end(), SENTENCE


class _Marks:
    """Marks, taken in their order."""

    def __init__(self, marks: Sequence[Mark]) -> None:
        self._marks = marks
        self._next = 0
        self._heading: str | None = None

    def before(self, place: int) -> Iterator[tuple[int, int]]:
        """Of each that is before `place` and was not given yet: where it is, and how good it is to
        end there."""
        while self._next < len(self._marks) and self._marks[self._next].at < place:
            mark = self._marks[self._next]
            self._next += 1
            yield mark.at, HEADING if mark.heading != self._heading else PARAGRAPH
            self._heading = mark.heading


def _divided(text: str, span: _Span, parts: int) -> Iterator[_Span]:
    """As so many spans of about the same length, or fewer where characters must stay together."""
    start, end, good = span
    step = max(1, -(-(end - start) // max(1, parts)))
    cuts = [start]
    for place in range(start + step, end, step):
        if (cut := _cut(text, cuts[-1], place)) > cuts[-1]:
            cuts.append(cut)
    for one, other in pairwise([*cuts, end]):
        if other != end:
            yield one, other, WORD if text[other].isspace() else INSIDE
        elif other > one:
            yield one, other, good


def _cut(text: str, after: int, place: int) -> int:
    """The last blank in front of `place`, where one is near, else `place`, or in front of the
    character that it would divide."""
    near = max(after + 1, place - min(_NEAR, (place - after) // 2))
    for at in range(place, near - 1, -1):
        if text[at].isspace() and not text[at - 1].isspace():
            return at
    while place > max(after, near - _CLUSTER) and _joined(text[place - 1], text[place]):
        place -= 1
    return place


def _joined(one: str, other: str) -> bool:
    """Whether two code points are of one character to the eye: accents, variants, sequences of
    emoji, half a flag, CR LF."""
    if other < "\u0300":
        return one == "\r" and other == "\n"
    return (
        unicodedata.category(other)[0] == "M"
        or other == "\u200d"
        or one == "\u200d"
        or "\U0001f3fb" <= other <= "\U0001f3ff"
        or ("\U0001f1e6" <= other <= "\U0001f1ff" and "\U0001f1e6" <= one <= "\U0001f1ff")
    )
