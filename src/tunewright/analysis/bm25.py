"""Rows by the words of a query: BM25, by the library bm25s (numpy only)."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.words import asked_words, stored_words

K1, B = 1.2, 0.75  # as SQLite's FTS5 has them, which ranks the chunks of vector stores
_OFTEN = 1000  # rows between two words of progress
_READING = 0.4  # share of the time that is taken by finding words; bm25s says nothing of the rest


class WordIndex:
    """Texts, to be searched by words. Raises ImportError where bm25s is not installed."""

    def __init__(
        self, texts: Sequence[str], progress: Callable[[float], None] = lambda _: None
    ) -> None:
        """progress: hears which share is done."""
        import bm25s

        vocabulary: dict[str, int] = {}
        # Numbers in the order of the texts: bm25s itself takes them from a set, which differs from
        # one process to the next.
        rows: list[list[int]] = []
        for text in texts:
            words = stored_words(text)
            rows.append([vocabulary.setdefault(word, len(vocabulary)) for word in words])
            if len(rows) % _OFTEN == 0:
                progress(_READING * len(rows) / len(texts))
        self.rows = len(rows)
        self._vocabulary = vocabulary
        # [words]: in how many rows each is
        self._among = np.bincount(
            np.array([word for row in rows for word in set(row)], np.int64),
            minlength=len(vocabulary),
        )
        self._index = None
        if vocabulary:
            self._index = bm25s.BM25(k1=K1, b=B, method="lucene", dtype="float64")
            self._index.index((rows, vocabulary), show_progress=False, create_empty_token=False)
        progress(1.0)

    def scores(self, query: str) -> NDArray[np.float64]:
        """[rows], 0 or more: 0 of a row with none of the words. Each word of the query counts
        once. As Lucene has it, without the constant factor k1 + 1."""
        known = self._vocabulary
        asked = [known[word] for word in asked_words(query) if word in known]
        if self._index is None or not asked:
            return np.zeros(self.rows)
        found: NDArray[np.float64] = self._index.get_scores_from_ids(asked)
        return found

    def shares(self, query: str) -> NDArray[np.float64]:
        """[rows]: the scores as shares of what a row of usual length gets that has every word of
        the query once, those that no row has too. So rare words say more, and a query of which
        only common words are found says little. Can exceed 1, at most k1 + 1 times."""
        return self.scores(query) * (K1 + 1) / max(self._most(query), 1e-9)

    def _most(self, query: str) -> float:
        """The sum of the inverse document frequencies, each of which is above 0."""
        numbers = [self._vocabulary.get(word) for word in asked_words(query)]
        among = np.array([0 if at is None else self._among[at] for at in numbers], np.float64)
        return float(np.log1p((self.rows - among + 0.5) / (among + 0.5)).sum())
