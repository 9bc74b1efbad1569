"""What the rows of a file ask: each question once, and which of them say the same."""

from array import array
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from tunewright.analysis.neighbours import Pairs, Vectors, within
from tunewright.quality.words import MOST_TYPOS, content, is_number, plain, same

_CLOSE = 0.85  # cosine of two questions, below which they are not compared word by word
EVERY = 20  # of so many words of meaning one may differ


@dataclass(frozen=True)
class Alike:
    """Two questions that say nearly the same, by their numbers; `one` came first."""

    one: int
    other: int
    cosine: float


class Questions:
    """`rows[q]`: the places of the rows that ask question q, but for case, width and white space;
    `of[at]`: the question of a row. `alike`: pairs of questions with at most one word in `EVERY`
    that differs."""

    def __init__(self, asked: Sequence[str], vectors: Vectors) -> None:
        numbers: dict[str, int] = {}
        self.of = [numbers.setdefault(plain(text), len(numbers)) for text in asked]
        self.rows: list[list[int]] = [[] for _ in numbers]
        for at, number in enumerate(self.of):
            self.rows[number].append(at)
        first = [rows[0] for rows in self.rows]
        self.alike = list(_alike([asked[at] for at in first], within(vectors[first], _CLOSE)))


def _alike(texts: Sequence[str], pairs: Pairs) -> Iterator[Alike]:
    near = {*pairs.one.tolist(), *pairs.other.tolist()}
    meant = _Meant(texts, near)
    for one, other, cosine in pairs:
        if not meant.apart(one, other) and same(texts[one], texts[other], every=EVERY):
            yield Alike(one, other, cosine)


class _Meant:
    """The words of meaning of texts as numbers: of pairs that lie close nearly all are other
    questions, and `same` takes twenty times as long to say so."""

    def __init__(self, texts: Sequence[str], wanted: Set[int]) -> None:
        self._ids: dict[str, int] = {}
        self._words = {at: self._read(texts[at]) for at in wanted}
        self._numbers = {id for word, id in self._ids.items() if is_number(word)}

    def _read(self, text: str) -> "array[int]":
        ids = self._ids
        return array("I", [ids.setdefault(word, len(ids)) for word in content(text)])

    def apart(self, one: int, other: int) -> bool:
        """Whether `same` is sure to say no: a number differs, or too many words do."""
        first, second = self._words[one], self._words[other]
        left, right = set(first), set(second)
        gone, come = left - right, right - left
        room = min(len(first), len(second)) // EVERY + MOST_TYPOS
        if max(len(gone), len(come)) > room:
            return True
        return not (self._numbers.isdisjoint(gone) and self._numbers.isdisjoint(come))
