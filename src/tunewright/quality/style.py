"""Slips of the pen in answers. English and Chinese; what could be meant is left alone."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tunewright.quality.evidence import found, share
from tunewright.quality.rows import Row
from tunewright.records.findings import Finding

_PREVAILS = 0.6
_CAPITALS = 0.8  # share of answers with a first capital from which on one without is a slip
_FEWEST = 10
_SENTENCE = 5  # words from which on an answer should begin as a sentence

# Code, addresses, quotations and formulas have their own rules.
_APART = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|\$[^$\n]*\$|<[^<>\n]*>", re.DOTALL)
# Not "had had", "that that", "is is": those can be right. "A a", "Vitamin A a day" can, too.
_WORDS = (
    "the|an|of|and|or|for|with|at|from|by|to|we|they|my|your|our|their|its|this|are|was|were|be"
    "|have|has|will|can|should"
)
_REPEATED = re.compile(
    rf"(?<![\w'’-])({_WORDS})[ ]\1(?![\w'’-])"
    r"|的的(?!确)|在在(?!处)|您您|吗吗|我我|和和(?!气|美|睦)"
)
_DOUBLED_MARKS = re.compile(
    # "R.E.M.." and "Jr.." end a sentence and an abbreviation
    r"(?<=\w)(?:,,|;;|, ,|(?<![.A-Z])(?<!Jr)\.\.(?![./\w])|,\.(?!\w))(?=\s|$)"
    r"|。。(?!。)|，，|、、|[，、]。|。，|？。|！。"
)
_SPACES = re.compile(r"(?<=[a-z,]) {2,}(?=[a-z])")
_HAN = "一-鿿"
_HALF = re.compile(rf"(?<=[{_HAN}])[,;?!](?=[{_HAN}]|\s*$)|(?<=[{_HAN}])\.(?=\s*$)")
_FULL = re.compile(rf"[，。；？！](?=[{_HAN}]|\s*$)")
_WIDE_IN_ENGLISH = re.compile(r"(?<=[A-Za-z])[，。；？！](?=\s?[A-Za-z]|\s*$)")
_CHINESE = re.compile(rf"[{_HAN}]")
_LOWER_START = re.compile(r"[a-z]+(?=[ ,-])")
_STOP = re.compile(r"[.!?](?=\s|$)")
_GAP = re.compile(r" {2,}")


_TWICE = [f"{word} {word}" for word in _WORDS.split("|")]
_TWO_MARKS = (
    ",,",
    ";;",
    ", ,",
    "..",
    ",.",
    "。。",
    "，，",
    "、、",
    "，。",
    "、。",
    "。，",
    "？。",
    "！。",
)


@dataclass(frozen=True)
class _Slip:
    code: str
    what: str
    remedy: str
    look: Callable[[str], re.Match[str] | None]


def find(rows: Sequence[Row]) -> Iterator[Finding]:
    """Only slips that few rows have: what most do is how the file is written."""
    said = [(row, [_APART.sub(" ` ", text) for text in row.answers]) for row in rows]
    for slip in (*_ALWAYS, *_by_habit([row.answer for row in rows if not row.completion])):
        bad = [(row, seen) for row, texts in said if (seen := _first(slip, row, texts))]
        if bad and (len(bad) <= len(rows) * (1 - _PREVAILS) or len(rows) < _FEWEST):
            yield found(
                slip.code,
                f"{share(len(bad), len(rows))} {slip.what}.",
                slip.remedy,
                [row.line for row, _ in bad],
                excerpt=bad[0][1],
            )


def _first(slip: _Slip, row: Row, texts: Sequence[str]) -> str:
    """What is wrong, with what stands around it; empty where nothing is."""
    if slip.code == "missing_capital" and row.completion:
        return ""
    for text in texts:
        if match := slip.look(text):
            return text[max(0, match.start() - 25) : match.end() + 25].strip() or match.group()
    return ""


_ALWAYS = (
    _Slip(
        "repeated_word",
        "have an answer with a word twice in a row",
        "Remove one of the two.",
        lambda text: _REPEATED.search(text) if _may(text, _TWICE) else None,
    ),
    _Slip(
        "doubled_punctuation",
        "have an answer with two marks where one stands",
        "Keep one of them.",
        lambda text: _DOUBLED_MARKS.search(text) if _may(text, _TWO_MARKS) else None,
    ),
)


def _may(text: str, marks: Sequence[str]) -> bool:
    """A pattern is tried at each place of a text; most texts have nothing that it could find."""
    return (not text.isascii() and marks is _TWICE) or any(mark in text for mark in marks)


def _in_columns(text: str) -> bool:
    """One pattern for both would read a long run of spaces once for each of its places."""
    return any("|" in line or len(_GAP.findall(line)) > 1 for line in text.split("\n"))


def _by_habit(answers: Sequence[str]) -> Iterator[_Slip]:
    """What is a slip in this file, because most of it is written otherwise."""
    yield _Slip(
        "doubled_space",
        "have an answer with two spaces inside a sentence",
        "Leave one.",
        lambda text: None if "  " not in text or _in_columns(text) else _SPACES.search(text),
    )
    if _capitals(answers) >= _CAPITALS:
        yield _Slip(
            "missing_capital",
            "have an answer that begins without a capital; nearly all others have one",
            "Write it with one.",
            _without_capital,
        )
    if _full_width(answers) >= _PREVAILS:
        yield _Slip(
            "mixed_punctuation",
            "have a Chinese answer with half-width marks, where most have full-width ones",
            "Use one kind: the model learns both.",
            _HALF.search,
        )
    yield _Slip(
        "mixed_punctuation_latin",
        "have full-width marks behind Latin letters in an answer without Chinese",
        "Use half-width marks.",
        lambda text: (
            None if text.isascii() or _CHINESE.search(text) else _WIDE_IN_ENGLISH.search(text)
        ),
    )


def _capitals(answers: Sequence[str]) -> float:
    first = [text[0] for answer in answers if (text := answer.lstrip()) and text[0].isascii()]
    letters = [letter for letter in first if letter.isalpha()]
    return sum(map(str.isupper, letters)) / len(letters) if len(letters) >= _FEWEST else 0.0


def _without_capital(text: str) -> re.Match[str] | None:
    """Of a sentence; not of code, nor of a name such as iPhone."""
    bare = text.strip()
    if len(bare.split()) < _SENTENCE or re.search(r"[{}=_]", bare) or not _STOP.search(bare):
        return None
    items = _STOP.split(bare)[0].split(",")
    is_list = len(items) > 2 and max(len(item.split()) for item in items) <= 3
    return None if is_list else _LOWER_START.match(bare)


def _full_width(answers: Sequence[str]) -> float:
    """The share of Chinese answers whose marks are all full-width, of those that have any."""
    chinese = [text for text in answers if _CHINESE.search(text)]
    half = sum(bool(_HALF.search(text)) for text in chinese)
    full = sum(bool(_FULL.search(text)) and not _HALF.search(text) for text in chinese)
    return full / (half + full) if half + full >= _FEWEST else 0.0
