"""One order out of several: by places (reciprocal rank fusion), or by scores of one scale."""

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

RANK_CONSTANT = 60  # as in its paper (Cormack, Clarke and Büttcher, 2009)
DEPTH = 100  # of each list: beyond it a place counts for less than 40 % of the first
WORDS_WEIGH = 1.5  # against a vector's 1: chosen on titles of food reviews, from 0.5 to 2
Id = TypeVar("Id", bound=Hashable)


def fused(lists: Iterable[tuple[float, Sequence[Id]]]) -> dict[Id, float]:
    """(weight, ids, best first) each -> the score of each id, 1 for the first place in every list.

    An id gets weight / (60 + its place) from each list that it is in. The result is in the order in
    which ids first appear; weights are 0 or more.
    """
    given = list(lists)
    most = sum(weight for weight, _ in given) / (RANK_CONSTANT + 1)
    scores: dict[Id, float] = {}
    for weight, ids in given:
        for place, id in enumerate(ids, start=1):
            scores[id] = scores.get(id, 0.0) + weight / (RANK_CONSTANT + place) / most
    return scores


def combined(near: NDArray[np.float64], said: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n], [n] -> [n]: about 1 for the nearest row where it has every word of the query as well.

    A convex combination of scores on one scale (Bruch, Gai and Ingber, 2023). near: similarities by
    any metric; they count from 0, the mean of the rows, to 1, the nearest, so that it does not
    matter in which narrow range a model's cosines lie. said: `WordIndex.shares`.

    Reciprocal rank fusion does not see how well a row fits: on short tables, where most rows share
    some common word with a query, it is worse than vectors alone (nDCG@10 0.832 against 0.884, this
    one 0.898, `bench/explore/search.py`).
    """
    if not len(near):
        return near
    mean, best = near.mean(), near.max()
    nearness = (near - mean) / (best - mean) if best > mean else np.zeros(len(near))
    return (nearness + WORDS_WEIGH * said) / (1 + WORDS_WEIGH)
