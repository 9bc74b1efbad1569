"""Near-duplicates: rows that say the same, in groups.

Two rows that do are near each other in the vectors of every model, but how near differs: a typing
error in 20 words takes a contextual model from 1 to 0.75, where two reviews of one product lie too.
So vectors only say which rows are held against each other, by rank and not by a cosine, and the
caller's `same` says whether they are near-duplicates. Without texts a cosine decides.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tunewright.analysis.knn import Knn, Places, Progress, Vectors, knn, quiet
from tunewright.analysis.neighbours import MOST_CLOSE, within

Same = Callable[[int, int], bool]

CANDIDATES = 20  # nearest other rows that a row is held against


@dataclass(frozen=True)
class Groups:
    """`of` [n]: of each row the first row of its group; its own place where it has none like it.

    near: where the groups were found by the nearest others, these, so that nobody needs to find
    them again: of the rows `near_rows` [m], `near.ids` being places among these.
    """

    of: Places
    near: Knn | None = field(default=None, repr=False)
    near_rows: Places | None = field(default=None, repr=False)

    @property
    def first(self) -> Places:
        """The places of the rows that stay when of each group only the first row is kept."""
        return np.flatnonzero(self.of == np.arange(len(self.of)))

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The rows of each group of two and more, in order; the largest group first."""
        order = np.argsort(self.of, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(self.of[order])) + 1)
        found = [tuple(part.tolist()) for part in parts if len(part) > 1]
        return tuple(sorted(found, key=lambda group: (-len(group), group[0])))

    @property
    def sizes(self) -> Places:
        """How many rows each group has, in the order of `first`."""
        return np.unique(self.of, return_counts=True)[1]


def equal(vectors: Vectors) -> Groups:
    """Rows whose vectors are equal to the bit."""
    seen: dict[bytes, int] = {}
    return Groups(
        np.array([seen.setdefault((row + 0.0).tobytes(), at) for at, row in _all(vectors)])
    )


def by_texts(
    vectors: Vectors, keys: Sequence[str], same: Same, progress: Progress = quiet
) -> Groups:
    """Groups by what texts say: same(first, row) holds for each row of a group and its first.

    vectors: unit vectors [n, d]. keys [n]: rows of one key are the same text. Others are held
    against the `CANDIDATES` rows that lie nearest, and against the groups that these are in; equal
    vectors prove nothing, for a model gives them to all texts that it cannot read.
    """
    seen: dict[str, int] = {}
    whole = Groups(np.array([seen.setdefault(key, at) for at, key in enumerate(keys)], np.int64))
    rows = whole.first
    near = knn(vectors[rows], CANDIDATES, progress)
    of = _grouped(_both_ways(near), lambda one, other: same(int(rows[one]), int(rows[other])))
    return replace(_spread(whole, of), near=near, near_rows=rows)


def by_cosine(vectors: Vectors, least: float) -> Groups:
    """Groups by unit vectors [n, d] alone: each row's cosine to its group's first row is at least
    `least`. Raises ValueError for one beyond 1 or not above 0."""
    if not 0 < least <= 1:
        raise ValueError(f"The threshold is {least}: name a cosine above 0, at most 1.")
    whole = equal(vectors)
    distinct = vectors[whole.first]
    least = min(least, 1 - 1e-6)  # of equal texts, which a model embeds in unlike batches
    pairs = within(distinct, least)
    starts = np.searchsorted(pairs.one, np.arange(len(distinct) + 1))  # where a row's pairs begin
    of = np.full(len(distinct), -1, np.int64)
    for first in range(len(distinct)):
        if of[first] < 0:
            close = pairs.other[starts[first] : starts[first + 1]]
            if len(close) == MOST_CLOSE:  # there may be more
                close = first + 1 + np.flatnonzero(distinct[first + 1 :] @ distinct[first] >= least)
            of[close[of[close] < 0]] = first
            of[first] = first
    return _spread(whole, of)


def nearest_groups(vectors: Vectors, groups: Groups, k: int, progress: Progress = quiet) -> Knn:
    """The k nearest others among the first rows of the groups, of each of them; ids are places in
    `groups.first`. Of what is known already, other rows are left out; where fewer than k are left,
    they are looked for anew."""
    first = groups.first
    known, rows = groups.near, groups.near_rows
    k = max(0, min(k, len(first) - 1))
    if known is None or rows is None or known.ids.shape[1] < k:
        return knn(vectors[first], k, progress)
    place = np.full(len(rows), -1)
    of_first = np.searchsorted(rows, first)  # [g]
    place[of_first] = np.arange(len(first))
    ids, distances = place[known.ids[of_first]], known.distances[of_first]  # [g, m]
    order = np.argsort(ids < 0, axis=1, kind="stable")[:, :k]  # those that are left, nearest first
    ids = np.take_along_axis(ids, order, axis=1)
    distances = np.take_along_axis(distances, order, axis=1)
    few = np.flatnonzero((ids < 0).any(axis=1))
    if len(few):
        found = knn(vectors[first], k, progress, few)
        ids[few], distances[few] = found.ids, found.distances
    return Knn(ids, distances)


def _all(vectors: Vectors) -> Iterator[tuple[int, Vectors]]:
    yield from enumerate(np.ascontiguousarray(vectors))


def _both_ways(near: Knn) -> list[list[int]]:
    """Of each row, the rows that it is near to or that are near to it."""
    found = [list(ids) for ids in near.ids.tolist()]
    for row, ids in enumerate(near.ids.tolist()):
        for other in ids:
            found[other].append(row)
    return found


def _grouped(near: Sequence[Sequence[int]], same: Same) -> Places:
    """Each row, in order, opens a group unless it is in one; a group takes what is near one of its
    rows and the same as its first. So no group is a chain from row to row whose ends differ."""
    of = np.full(len(near), -1, np.int64)
    for first in range(len(near)):
        if of[first] >= 0:
            continue
        of[first] = first
        waiting, seen = deque([first]), {first}
        while waiting:
            for other in near[waiting.popleft()]:
                if of[other] < 0 and other not in seen:
                    seen.add(other)
                    if same(first, other):
                        of[other] = first
                        waiting.append(other)
    return of


def _spread(whole: Groups, of: Places) -> Groups:
    """What was found of distinct vectors, for all rows."""
    rows = whole.first
    place = np.searchsorted(rows, whole.of)  # [n]: among the distinct ones
    return Groups(rows[of[place]])
