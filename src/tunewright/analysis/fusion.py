"""One order out of several: reciprocal rank fusion."""

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

RANK_CONSTANT = 60  # as in its paper (Cormack, Clarke and Büttcher, 2009)
DEPTH = 100  # of each list: beyond it a place counts for less than 40 % of the first
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
