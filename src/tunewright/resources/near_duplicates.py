"""Which rows of an explored table say the same."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.duplicates import Groups, by_cosine, by_texts
from tunewright.quality.compared import Compared
from tunewright.quality.words import plain

EVERY = 10  # of so many words of meaning one may differ


def near_duplicates(
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    threshold: float | None,
    progress: Callable[[float], None],
) -> Groups:
    """Of unit vectors [n, d] and their texts.

    threshold: the cosine from which on rows are near-duplicates. Without it the texts say which of
    the nearest rows are: no number or negation differs, of other words of meaning at most one in
    `EVERY`, spellings and the order of the words aside, as `tunewright data check` has it of
    training rows.
    """
    if threshold is not None:
        return by_cosine(vectors, threshold)
    keys = [plain(text) or text for text in texts]  # of "!!!" and "..." nothing is left
    return by_texts(vectors, keys, Compared(texts, every=EVERY).same, progress)
