"""Users and items as vectors: recommendations from who had what.

A row of the table is one interaction: a user, an item, often a rating, and a text whose vector is
the row's. An item's vector is the mean of its rows' (the same text in each, or one review each), a
user's the mean of the items that he or she had, by rating. Items are recommended by the nearest
liked one (`recommending.worth`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.distances import unit
from tunewright.analysis.neighbours import Places, Vectors
from tunewright.analysis.recommending import DISLIKED, worth
from tunewright.analysis.search import best
from tunewright.analysis.variety import POOL, varied


@dataclass(frozen=True)
class Interactions:
    """users, items: names, in the order of their first row. Of each interaction [m]: `row`, and the
    numbers of its user and item.

    `liking` [m]: 1 without ratings; with them from -1 for the lowest rating of the table to 1 for
    the highest, so that 0 is the middle of the scale and says neither.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    row: Places
    user: Places
    item: Places
    liking: NDArray[np.float64]


@dataclass(frozen=True)
class Suggestion:
    """An item for a user. `because`: of the items that the user liked, the nearest to it. `score`:
    as of `Recommendation`. `rows`: the item's, in order."""

    item: str
    score: float
    because: str
    rows: tuple[int, ...]


def interactions(
    users: Sequence[str | None],
    items: Sequence[str | None],
    ratings: Sequence[float | None] | None = None,
) -> Interactions:
    """Of the rows that name both, and have a rating where ratings are given. Raises ValueError
    where none does, or the lengths differ."""
    if len(users) != len(items) or (ratings is not None and len(ratings) != len(users)):
        raise ValueError("Users, items and ratings are not of the same rows.")
    given: Sequence[float | None] = [1.0] * len(users) if ratings is None else ratings
    whole = [
        (row, user, item, rating)
        for row, (user, item, rating) in enumerate(zip(users, items, given, strict=True))
        if user and item and rating is not None and np.isfinite(rating)
    ]
    if not whole:
        raise ValueError("No row names both a user and an item.")
    numbers: tuple[dict[str, int], dict[str, int]] = {}, {}
    user = [numbers[0].setdefault(one[1], len(numbers[0])) for one in whole]
    item = [numbers[1].setdefault(one[2], len(numbers[1])) for one in whole]
    return Interactions(
        users=tuple(numbers[0]),
        items=tuple(numbers[1]),
        row=np.array([one[0] for one in whole]),
        user=np.array(user),
        item=np.array(item),
        liking=_liking(np.array([one[3] for one in whole], np.float64)),
    )


def _liking(ratings: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = ratings.min(), ratings.max()
    return np.ones(len(ratings)) if low == high else (2 * ratings - low - high) / (high - low)


def item_vectors(vectors: Vectors, of: Interactions) -> Vectors:
    """[items, d], unit vectors: of each item the mean of its rows [n, d]."""
    return unit(item_sums(vectors, of))


def user_vectors(vectors: Vectors, of: Interactions) -> Vectors:
    """[users, d], unit vectors: of each user the mean of the liked items, by how much, less half
    that of the disliked ones. Zeros for a user who liked nothing."""
    products = item_vectors(vectors, of)
    return np.stack([_of_user(products, of, user) for user in range(len(of.users))])


def suggest(
    vectors: Vectors, of: Interactions, user: str, k: int, *, variety: float = 0.0
) -> list[Suggestion]:
    """The k items nearest to one that a user liked, none that the user had. variety: see
    `variety.varied`. Raises ValueError for a user who is not there, or liked nothing."""
    if user not in of.users:
        raise ValueError(f"There is no user {user!r}.")
    number = of.users.index(user)
    liked, disliked = liked_items(of, np.flatnonzero(of.user == number))
    if not len(liked):
        raise ValueError(f"The user {user!r} liked nothing: no rating above the middle.")
    products = item_vectors(vectors, of)
    scores, because = worth(products, products[liked], products[disliked])
    new = np.setdiff1d(np.arange(len(products)), of.item[of.user == number])
    found = best(scores, new, max(POOL * k, k + 20) if variety else k)
    if variety:
        found = found[varied(scores[found], products[found], k, variety)]
    return [
        Suggestion(
            of.items[item],
            float(scores[item]),
            of.items[liked[because[item]]],
            tuple(of.row[of.item == item].tolist()),
        )
        for item in found.tolist()
    ]


def liked_items(of: Interactions, rows: Places) -> tuple[Places, Places]:
    """Of some interactions, the items that were liked, and those that were not: by the sum of what
    was said of each."""
    items, at = np.unique(of.item[rows], return_inverse=True)
    said = np.bincount(at, of.liking[rows], minlength=len(items))
    return items[said > 0], items[said < 0]


def item_sums(vectors: Vectors, of: Interactions) -> NDArray[np.float64]:
    """[items, d]: of each item the sum of its rows' unit vectors."""
    sums = np.zeros((len(of.items), vectors.shape[1]))
    np.add.at(sums, of.item, unit(vectors[of.row]))
    return sums


def _of_user(products: Vectors, of: Interactions, user: int) -> Vectors:
    """[d]"""
    mine = of.user == user
    items, likings = of.item[mine], of.liking[mine]
    up, down = likings > 0, likings < 0
    if not up.any():
        return np.zeros(products.shape[1], np.float32)
    taste = np.average(products[items[up]], axis=0, weights=likings[up])
    if down.any():
        taste = taste - DISLIKED * np.average(products[items[down]], axis=0, weights=-likings[down])
    return unit(taste)
