"""Whether what a destination has is what was read from the source."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tunewright.errors import JobFailed
from tunewright.vectors.copying.digests import Digest
from tunewright.vectors.copying.ends import Destination, Source
from tunewright.vectors.copying.positions import Position
from tunewright.vectors.exact import distances
from tunewright.vectors.filters import Filter
from tunewright.vectors.index import Described, Floats, Hits, Rows
from tunewright.vectors.recall import Truth

K = 10
_FAR = 1e-4  # by so much, of 1 + its length, a distance may differ from the one computed here
LEAST = 0.9
"""Of the true neighbours of the sample, the share that must be found: graphs of databases are
approximate, and one that finds fewer has lost rows."""


@dataclass(frozen=True)
class Neighbours:
    """Of `queries` rows the `k` nearest others: which share of them a search finds."""

    queries: int
    k: int
    share: float


def verified(
    source: Source,
    destination: Destination,
    about: Described,
    position: Position,
    where: Filter | None,
    progress: Callable[[int], None],
) -> Neighbours | None:
    """Reads the destination once. None where it cannot be searched, or has fewer than two rows.

    Raises JobFailed, code `copy_not_verified`, which says what is not as it should be.
    """
    found = _Found(destination, about, position)
    digest = Digest()
    for rows in destination.pages():
        digest.add(rows)
        found.see(rows)
        progress(digest.rows)
    _same(destination, position.written, digest)
    _same_count(destination, position.written.rows, where)
    neighbours = found.neighbours()
    _unchanged(source, position, where)
    return neighbours


def failed(message: str) -> JobFailed:
    return JobFailed(message, code="copy_not_verified")


def _same(destination: Destination, written: Digest, there: Digest) -> None:
    if written.rows != there.rows:
        raise failed(
            f"{destination.label} has {there.rows:,} rows, and {written.rows:,} were copied. "
            "Somebody else has written to it meanwhile, or it has lost rows."
        )
    for what, one, other in (
        ("ids or attributes", written.said, there.said),
        ("vectors", written.vectors, there.vectors),
    ):
        if one != other:
            raise failed(
                f"The {what} in {destination.label} are not those that were copied, in at least "
                "one row. Somebody else has written to it meanwhile, or it does not keep them as "
                "they are given."
            )


def _same_count(destination: Destination, rows: int, where: Filter | None) -> None:
    for filter in (None, where) if where is not None else (None,):
        if (counted := destination.count(filter)) != rows:
            said = " that match the filter" if filter is not None else ""
            raise failed(f"{destination.label} counts {counted:,} rows{said}: {rows:,} are there.")


def _unchanged(source: Source, position: Position, where: Filter | None) -> None:
    """What was read before the first write, and while it was written, is the same."""
    if position.checked != position.written:
        raise failed(
            f"{source.label} has changed while it was copied: each row is as it was when it was "
            "read, and rows that came later may be missing."
        )
    if where is None and (now := source.rows()) != position.written.rows:
        raise failed(
            f"{source.label} has {now:,} rows now; it had {position.written.rows:,} when it was "
            "copied."
        )


class _Found:
    """What the destination finds for a sample of its rows, compared with all that it has."""

    def __init__(self, destination: Destination, about: Described, position: Position) -> None:
        self._label, self._about = destination.label, about
        self._own, self._asked = position.sample.taken(about.dimensions)
        self._k = min(K, position.written.rows - 1)
        self._hits: Hits | None = None
        if self._k >= 1:
            self._hits = destination.search(self._asked, self._k + 1)
        self._places: dict[str, list[tuple[int, int]]] = {}
        if self._hits is not None:
            others = [
                [id for id in ids if id != own][: self._k]
                for ids, own in zip(self._hits.ids, self._own, strict=True)
            ]
            self._truth = Truth(self._asked, self._own, about.metric, self._k, others)
            for query, ids in enumerate(self._hits.ids):
                for number, id in enumerate(ids):
                    self._places.setdefault(id, []).append((query, number))

    def see(self, rows: Rows) -> None:
        if self._hits is None:
            return
        self._truth.see(rows)
        for at, id in enumerate(rows.ids):
            for query, number in self._places.pop(id, ()):
                self._compare(self._hits, query, number, rows.vectors[at], id)

    def _compare(self, hits: Hits, query: int, number: int, vector: Floats, id: str) -> None:
        wide = self._asked[query].astype(np.float64)
        [exact] = distances(self._about.metric, wide, vector[None].astype(np.float64))
        told = hits.distances[query, number]
        if not abs(told - exact) <= _FAR * (1 + abs(exact)):
            raise failed(
                f"{self._label} says that '{id}' is {told:.6g} away from '{self._own[query]}': it "
                f"is {exact:.6g}."
            )

    def neighbours(self) -> Neighbours | None:
        if self._hits is None:
            return None
        if self._places:
            raise failed(f"{self._label} finds '{next(iter(self._places))}', and has no such row.")
        share = float(self._truth.shares().mean())
        if share < LEAST:
            raise failed(
                f"{self._label} finds {share:.0%} of the nearest rows of a sample. Its index is "
                "not built yet, or is broken: wait, or build it anew there, and copy again."
            )
        return Neighbours(len(self._own), self._k, share)
