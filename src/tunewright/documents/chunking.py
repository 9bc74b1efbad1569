"""A document as chunks of at most so many tokens, each of which knows its place."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from tunewright.documents.counting import Counting, Tokenizer
from tunewright.documents.document import Document, Mark
from tunewright.documents.pieces import HEADING, LINE, SENTENCE, WORD, Piece, pieces

SIZE, OVERLAP = 800, 400  # tokens, OpenAI's `auto`
LEAST, MOST = 100, 4096  # tokens of a chunk that can be asked for
_GRAIN = 16  # pieces of a chunk, at least: how exactly it is filled
_FULL, _AT_HEADING = 3 / 4, 1 / 2  # of a chunk: from here on it may end, before a heading earlier
_AT_ONCE = 64  # chunks whose tokens are counted together


@dataclass(frozen=True, slots=True)
class Chunk:
    """`start` to `end`: its place in the UTF-8 of the document's text, in bytes. `tokens`: of its
    text, by the model's tokenizer. `page` and `heading`: where it begins."""

    text: str
    tokens: int
    page: int | None
    heading: str | None
    start: int
    end: int


def chunks_of(
    document: Document, tokenizer: Tokenizer, size: int = SIZE, overlap: int = OVERLAP
) -> Iterator[Chunk]:
    """Chunks of at most `size` tokens, in their order, computed as they are asked for.

    Every character that is no blank is in at least one, and none begins or ends with a blank. A
    chunk ends before a heading, at the end of a paragraph or of a sentence where one lies in its
    last part, else between words; inside a word only where the word is longer than a chunk's
    sixteenth. The next one begins up to `overlap` tokens before that end, at a sentence where one
    begins there. Raises ValueError for an overlap beyond half of `size`.
    """
    if not 0 <= overlap <= size // 2:
        raise ValueError(f"an overlap of {overlap} tokens of {size}")
    places = _Places(document)
    spans = _planned(pieces(document, tokenizer.count, max(1, size // _GRAIN)), size, overlap)
    counting = Counting(tokenizer)
    while some := list(islice(spans, _AT_ONCE)):
        for start, text, tokens in _fitting(document.text, some, counting, size):
            yield places.chunk(start, text, tokens)


_Run = list[Piece]


def _planned(found: Iterator[Piece], size: int, overlap: int) -> Iterator[_Run]:
    """Runs of pieces, each of `size` tokens at most by the sum of its pieces."""
    run: _Run = []
    tokens = 0
    for piece in found:
        while run and tokens + piece.size > size:
            end = _end(run, size)
            yield run[:end]
            run = run[_next(run[:end], size, overlap) :]
            tokens = sum(each.size for each in run)
        run.append(piece)
        tokens += piece.size
    if run:
        yield run


def _end(run: _Run, size: int) -> int:
    """After how many pieces a chunk best ends: the best kind of place, and the last one of it."""
    best, found = WORD, len(run)
    tokens = sum(each.size for each in run)
    for at in range(len(run), 0, -1):
        if tokens < size * _AT_HEADING:
            break
        good = run[at - 1].after
        if good > best and (tokens >= size * _FULL or good == HEADING):
            best, found = good, at
        tokens -= run[at - 1].size
    return found


def _next(run: _Run, size: int, overlap: int) -> int:
    """At which piece of a chunk the next one begins; its length where they share nothing. At least
    a quarter of `size` lies before it, so that the text is read a few times at most."""
    first = _first(run, size, overlap)
    room = sum(each.size for each in run[first:])
    left = room
    for at in range(first, len(run)):
        if left < room / 2:
            break
        if at and run[at - 1].after >= SENTENCE:
            return at
        left -= run[at].size
    lines = (at for at in range(first, len(run)) if at and run[at - 1].after >= LINE)
    words = (at for at in range(first, len(run)) if at and run[at - 1].after >= WORD)
    return next(lines, next(words, first))


def _first(run: _Run, size: int, overlap: int) -> int:
    behind = sum(each.size for each in run)
    passed = 0
    for at, piece in enumerate(run):
        if at and behind <= overlap and passed >= size / 4:
            return at
        behind -= piece.size
        passed += piece.size
    return len(run)


def _fitting(
    text: str, runs: Sequence[_Run], counting: Counting, size: int
) -> Iterator[tuple[int, str, int]]:
    """(first character, text, tokens) of each; a run that has more tokens as a whole than its
    pieces have is halved."""
    found = [_trimmed(text, run) for run in runs]
    tokens = counting.of(runs, [each for _, each in found])
    for run, (start, each), own in zip(runs, found, tokens, strict=True):
        if own > size and len(run) > 1:
            half = len(run) // 2
            yield from _fitting(text, [run[:half], run[half:]], counting, size)
        elif each:
            yield start, each, own


def _trimmed(text: str, run: _Run) -> tuple[int, str]:
    whole = text[run[0].start : run[-1].end]
    bare = whole.lstrip()
    return run[-1].end - len(bare), bare.rstrip()


class _Places:
    """Where chunks lie, which come in the order of their beginnings."""

    def __init__(self, document: Document) -> None:
        self._text, self._marks = document.text, document.marks
        self._starts = [mark.at for mark in document.marks]
        self._character = self._byte = 0

    def chunk(self, start: int, text: str, tokens: int) -> Chunk:
        self._byte += len(self._text[self._character : start].encode())
        self._character = start
        at = bisect_right(self._starts, start) - 1
        mark = self._marks[at] if at >= 0 else Mark(0)
        return Chunk(
            text, tokens, mark.page, mark.heading, self._byte, self._byte + len(text.encode())
        )
