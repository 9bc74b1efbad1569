"""Texts that are held against each other many times: which of them say the same."""

from array import array
from collections.abc import Iterable, Sequence

from tunewright.quality.words import MOST_TYPOS, content, is_number, plain, same


class Compared:
    """`texts`, by their places; `wanted`: those that will be compared, if not all.

    Most texts that lie close say something else, and `words.same` takes twenty times as long to
    say so as their words of meaning, kept as numbers.
    """

    def __init__(
        self, texts: Sequence[str], *, every: int, wanted: Iterable[int] | None = None
    ) -> None:
        self._texts, self._every = texts, every
        self._ids: dict[str, int] = {}
        places = range(len(texts)) if wanted is None else wanted
        self._words = {at: self._read(texts[at]) for at in places}
        self._numbers = {id for word, id in self._ids.items() if is_number(word)}

    def same(self, one: int, other: int) -> bool:
        """As `words.same`; texts without a word of meaning are the same if they are equal but for
        case, width and white space."""
        if not self._words[one] or not self._words[other]:
            return plain(self._texts[one]) == plain(self._texts[other]) != ""
        if self._apart(self._words[one], self._words[other]):
            return False
        return same(self._texts[one], self._texts[other], every=self._every)

    def _read(self, text: str) -> "array[int]":
        ids = self._ids
        return array("I", [ids.setdefault(word, len(ids)) for word in content(text)])

    def _apart(self, first: "array[int]", second: "array[int]") -> bool:
        """Whether `words.same` is sure to say no: a number differs, or too many words do."""
        left, right = set(first), set(second)
        gone, come = left - right, right - left
        room = min(len(first), len(second)) // self._every + MOST_TYPOS
        if max(len(gone), len(come)) > room:
            return True
        return not (self._numbers.isdisjoint(gone) and self._numbers.isdisjoint(come))
