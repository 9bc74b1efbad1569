"""The text of a file, and where its pages and headings begin."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tunewright.errors import UnreadableDocument

MOST_TEXT = 32 * 2**20  # characters: some 8 million tokens of English
_LONGEST_HEADING = 120  # characters of one; a breadcrumb may have six of them
_UNFIT = re.compile("[\x00\ud800-\udfff]")  # what neither UTF-8 nor a database can hold
_BLANKS = re.compile(r"\s+")


class Mark(NamedTuple):
    """From character `at` on, text is of this page (from 1) and under this heading: the nearest
    one, after those above it (``Install > Linux``). None: the kind of file has none, or none yet.
    """

    at: int
    page: int | None = None
    heading: str | None = None


@dataclass(frozen=True)
class Document:
    """`kind`: as messages call it. `text` has no NUL and no half of a surrogate pair, so it can be
    written as UTF-8; `marks` ascend by `at`."""

    kind: str
    text: str
    marks: Sequence[Mark] = ()


class Draft:
    """A document while it is read, piece by piece; `say` raises where it becomes too long."""

    def __init__(self, kind: str, name: str, most: int = MOST_TEXT) -> None:
        self._kind, self._name, self._most = kind, name, most
        self._pieces: list[str] = []
        self._length = 0
        self._marks: list[Mark] = []
        self._page: int | None = None
        self._path: list[tuple[int, str]] = []  # headings above: level and text

    @property
    def length(self) -> int:
        return self._length

    def say(self, text: str) -> None:
        self._length += len(text)
        if self._length > self._most:
            raise too_long(self._name, self._most)
        self._pieces.append(text)

    def page(self, number: int) -> None:
        self._page = number
        self._mark()

    def heading(self, level: int, text: str) -> None:
        """What follows is under it, and under those of lower levels; an empty one only ends those
        of its level and above. Its own text is said by the caller."""
        text = _BLANKS.sub(" ", text).strip()[:_LONGEST_HEADING]
        kept = [above for above in self._path if above[0] < level]
        self._path = [*kept, (level, text)] if text else kept
        self._mark()

    def _mark(self) -> None:
        heading = " > ".join(text for _, text in self._path) or None
        self._marks.append(Mark(self._length, self._page, heading))

    def document(self) -> Document:
        """Raises UnreadableDocument where no text was found."""
        text = "".join(self._pieces)
        if not text or text.isspace():
            raise UnreadableDocument(
                f"{self._name} has no text. Upload a file with text in it.", code="invalid_file"
            )
        return Document(self._kind, clean(text), self._marks)


def clean(text: str) -> str:
    """Of the same length: what no text can hold becomes U+FFFD."""
    return _UNFIT.sub("�", text) if _UNFIT.search(text) else text


def too_long(name: str, most: int = MOST_TEXT) -> UnreadableDocument:
    return UnreadableDocument(
        f"{name} has more than {most:,} characters of text, the most that one file may have. "
        "Split it and upload the parts.",
        code="invalid_file",
    )
