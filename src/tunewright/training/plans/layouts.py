"""The arrays of one forward pass."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tunewright.training.examples import Sample
from tunewright.training.plans.tries import Sorted


@dataclass(frozen=True)
class Layout:
    """ids: int64 [rows, longest], padded on the right. at: positions, in the flattened ids, whose
    hidden states predict a supervised token; targets: those tokens; weights: how many rows
    supervise each (None: one). All [supervised].

    positions int64 and mask float32 (0 where one position sees another, the least number where
    not) only for a trie. Rows need no mask: causal ones never look to their right, where the
    padding is, and without a mask the attention takes its fast path.
    """

    ids: Tensor
    at: Tensor
    targets: Tensor
    weights: Tensor | None = None
    positions: Tensor | None = None
    mask: Tensor | None = None

    @property
    def supervised(self) -> int:
        return len(self.targets) if self.weights is None else int(self.weights.sum())

    def parts(self, size: int) -> Iterator[tuple[slice, "Layout"]]:
        """Of at most `size` supervised tokens each, with their place among all."""
        for start in range(0, len(self.targets), size):
            at = slice(start, start + size)
            weights = None if self.weights is None else self.weights[at]
            yield at, replace(self, at=self.at[at], targets=self.targets[at], weights=weights)


def rows(samples: Sequence[Sample], device: torch.device, skip: int = 0) -> Layout:
    """A row for each sample, without its first `skip` tokens, none of which predicts a target."""
    longest = max(len(s.ids) for s in samples) - skip
    ids = np.zeros((len(samples), longest), dtype=np.int64)
    for row, sample in enumerate(samples):
        ids[row, : len(sample.ids) - skip] = sample.ids[skip:]
    at = [
        np.arange(s.start, len(s.ids)) + row * longest - skip - 1 for row, s in enumerate(samples)
    ]
    targets = [s.ids[s.start :] for s in samples]
    return Layout(
        ids=torch.from_numpy(ids).to(device),
        at=torch.from_numpy(np.concatenate(at)).to(device),
        targets=torch.from_numpy(np.concatenate(targets).astype(np.int64)).to(device),
    )


def trie(samples: Sequence[Sample], device: torch.device, dtype: torch.dtype) -> Layout:
    """One row that holds each shared beginning once; every token sees what stands before it."""
    found = Sorted.of(samples)
    paths = _paths(found)
    size = found.nodes
    ids, parents = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    positions, weights = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    seen = np.zeros((size, size), dtype=np.bool_)
    for row, path, shared in zip(found.rows, paths, found.shared, strict=True):
        own = path[shared:]
        ids[path], positions[path] = row.ids, np.arange(len(path))
        parents[path[1:]] = path[:-1]
        weights[path[row.start :]] += 1
        if len(own):
            first = int(own[0])
            seen[first : first + len(own), path[:shared]] = True
            seen[first : first + len(own), own] = np.tri(len(own), dtype=np.bool_)
    supervised = np.flatnonzero(weights)
    hidden = torch.from_numpy(~seen)
    mask = torch.zeros(size, size, dtype=dtype).masked_fill_(hidden, torch.finfo(dtype).min)
    return Layout(
        ids=torch.from_numpy(ids)[None].to(device),
        at=torch.from_numpy(parents[supervised]).to(device),
        targets=torch.from_numpy(ids[supervised]).to(device),
        weights=torch.from_numpy(weights[supervised].astype(np.float32)).to(device),
        positions=torch.from_numpy(positions)[None].to(device),
        mask=mask[None, None].to(device),
    )


def _paths(found: Sorted) -> list[NDArray[np.int64]]:
    """For each row, the place in the trie of each of its tokens."""
    paths: list[NDArray[np.int64]] = []
    path, size = np.zeros(0, dtype=np.int64), 0
    for row, shared in zip(found.rows, found.shared.tolist(), strict=True):
        new = len(row.ids) - shared
        path = np.concatenate([path[:shared], np.arange(size, size + new)])
        paths.append(path)
        size += new
    return paths
