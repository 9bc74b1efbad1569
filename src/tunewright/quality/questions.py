"""What the rows of a file ask: each question once, and which of them say the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tunewright.analysis.neighbours import Pairs, Vectors, within
from tunewright.quality.compared import Compared
from tunewright.quality.words import plain

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
    compared = Compared(texts, every=EVERY, wanted=near)
    for one, other, cosine in pairs:
        if compared.same(one, other):
            yield Alike(one, other, cosine)
