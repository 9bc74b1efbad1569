"""Do recommendations find what users chose? Leave-one-out, against popularity and chance."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.distances import unit
from tunewright.analysis.interactions import Interactions, item_sums, liked_items
from tunewright.analysis.intervals import Interval, bootstrap
from tunewright.analysis.neighbours import Places, Vectors
from tunewright.analysis.recommending import DISLIKED

MOST_USERS = 2_000
_DIGITS = (
    6  # scores that differ by less are equal: float32 products differ by the number of threads
)


@dataclass(frozen=True)
class HitRates:
    """The share of users whose held-out item is among k recommended ones; 95 % intervals by a
    bootstrap of users.

    `users`: how many were asked; `possible`: how many could have been (a sample is asked where
    they are many). `left_out`: users who liked fewer than two items that others have too.
    `popularity`: by how many users had an item. `chance`: k of the items that the user did not
    have. `over_popularity`: `ours` less `popularity`, user by user.
    """

    k: int
    users: int
    possible: int
    left_out: int
    items: int
    ours: Interval
    popularity: Interval
    chance: Interval
    over_popularity: Interval


def hit_rates(
    vectors: Vectors,
    of: Interactions,
    k: int = 10,
    *,
    seed: int = 0,
    progress: Callable[[float], None] = lambda _: None,
) -> HitRates:
    """Of each user one liked item, drawn by the seed, is taken away with all that the user said of
    it; then the user is recommended k of the items that he or she has not.

    Items that nobody else has are never drawn: without that user's rows they have no vector. Where
    scores are equal at the border, a hit counts by its chance. Raises ValueError where no user has
    two liked items that others have too.
    """
    drawn = _drawn(of, np.random.default_rng(seed))
    if not drawn:
        raise ValueError(
            "No user has two liked items that others have too: hit rates cannot be measured."
        )
    left_out = len(of.users) - len(drawn)
    asked = _sample(drawn, seed)
    tables = _Tables(vectors, of)
    hits = np.zeros((len(asked), 3))
    for place, (user, item) in enumerate(asked):
        hits[place] = tables.hits(user, item, k)
        progress((place + 1) / len(asked))
    return HitRates(
        k=k,
        users=len(asked),
        possible=len(drawn),
        left_out=left_out,
        items=len(of.items),
        ours=_mean(hits[:, 0], seed),
        popularity=_mean(hits[:, 1], seed),
        chance=_mean(hits[:, 2], seed),
        over_popularity=_mean(hits[:, 0] - hits[:, 1], seed),
    )


def _mean(values: NDArray[np.float64], seed: int) -> Interval:
    return bootstrap(lambda rows: float(values[rows].mean()), len(values), seed=seed)


def _drawn(of: Interactions, random: np.random.Generator) -> list[tuple[int, int]]:
    """(user, item) of each user who has one to take away and one to go on from."""
    had = np.unique(np.stack([of.user, of.item]), axis=1)
    owners = np.bincount(had[1], minlength=len(of.items))
    drawn: list[tuple[int, int]] = []
    for user, rows in enumerate(_rows_of(of)):
        liked, _ = liked_items(of, rows)
        shared = liked[owners[liked] > 1]
        if len(liked) > 1 and len(shared):
            drawn.append((user, int(random.choice(shared))))
    return drawn


def _rows_of(of: Interactions) -> list[Places]:
    order = np.argsort(of.user, kind="stable")
    return np.split(order, np.cumsum(np.bincount(of.user, minlength=len(of.users)))[:-1])


def _sample(drawn: list[tuple[int, int]], seed: int) -> list[tuple[int, int]]:
    if len(drawn) <= MOST_USERS:
        return drawn
    chosen = np.random.default_rng(seed).choice(len(drawn), MOST_USERS, replace=False)
    return [drawn[place] for place in np.sort(chosen).tolist()]


class _Tables:
    """What all users share: sums of vectors, and how many users had each item."""

    def __init__(self, vectors: Vectors, of: Interactions) -> None:
        self._vectors = vectors
        self._of = of
        self._rows = _rows_of(of)
        self._sums = item_sums(vectors, of)
        self._products = unit(self._sums)
        had = np.unique(np.stack([of.user, of.item]), axis=1)
        self._owners = np.bincount(had[1], minlength=len(of.items)).astype(np.float64)

    def hits(self, user: int, item: int, k: int) -> tuple[float, float, float]:
        """How sure it is that the item is among k: ours, by popularity, by chance."""
        of, rows = self._of, self._rows[user]
        taken = of.item[rows] == item
        gone = unit(self._vectors[of.row[rows[taken]]]).astype(np.float64).sum(axis=0)
        liked, disliked = liked_items(of, rows[~taken])
        own = self._products[[*liked, *disliked]].T  # [d, liked and disliked]
        near = self._products @ own  # [items, liked and disliked]
        near[item] = unit(self._sums[item] - gone) @ own
        away = near[:, len(liked) :].max(axis=1, initial=0)
        scores = np.round(near[:, : len(liked)].max(axis=1) - DISLIKED * away, _DIGITS)
        owners = self._owners.copy()
        owners[item] -= 1
        new = np.setdiff1d(np.arange(len(scores)), of.item[rows[~taken]])
        place = int(np.searchsorted(new, item))
        return (
            _among(scores[new], place, k),
            _among(owners[new], place, k),
            min(1.0, k / len(new)),
        )


def _among(scores: NDArray[np.floating], place: int, k: int) -> float:
    """The chance that one place is among the k of the highest scores, equals in any order."""
    greater = int((scores > scores[place]).sum())
    equal = int((scores == scores[place]).sum())
    return min(1.0, max(0.0, (k - greater) / equal))
