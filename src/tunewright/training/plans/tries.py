"""Shared prefixes: rows sorted by their tokens, so that those which share one are neighbours."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.training.examples import Sample


@dataclass(frozen=True)
class Sorted:
    """Rows in the order of their token ids, which is the depth-first order of their trie (prefix
    tree). shared[i]: the length of the prefix that row i shares with row i - 1, in tokens; 0 for
    the first."""

    rows: list[Sample]
    shared: NDArray[np.int64]  # [rows]

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> "Sorted":
        """By the ids, then by where the supervised tokens begin."""
        # Big-endian bytes sort as the numbers do. Equal rows stay in a fixed order.
        rows = sorted(samples, key=lambda s: (s.ids.astype(">i4").tobytes(), s.start))
        pairs = itertools.pairwise(rows)
        shared = [0, *(_common(one.ids, other.ids) for one, other in pairs)]
        return cls(rows, np.array(shared, dtype=np.int64))

    def part(self, start: int, end: int) -> "Sorted":
        """The rows [start, end) by themselves."""
        shared = self.shared[start:end].copy()
        shared[0] = 0
        return Sorted(self.rows[start:end], shared)

    def branches(self, depth: int) -> Iterator[tuple[int, int]]:
        """The ranges [start, end) of rows that share a prefix of more than `depth` tokens."""
        cuts = np.flatnonzero(self.shared[1:] <= depth) + 1
        yield from zip([0, *cuts.tolist()], [*cuts.tolist(), len(self.rows)], strict=True)

    @property
    def common(self) -> int:
        """Tokens of the prefix that all rows share (all of its tokens, for a single row)."""
        return int(self.shared[1:].min()) if len(self.rows) > 1 else len(self.rows[0].ids)

    @property
    def nodes(self) -> int:
        """Nodes of the trie: tokens to compute when every shared prefix is computed once."""
        return sum(len(row.ids) for row in self.rows) - int(self.shared.sum())


def _common(one: NDArray[np.int32], other: NDArray[np.int32]) -> int:
    """Length of the shared prefix of two rows' ids."""
    length = min(len(one), len(other))
    differing = np.flatnonzero(one[:length] != other[:length])
    return int(differing[0]) if len(differing) else length
