"""The tensors of one forward pass: ids, and where in them the supervised tokens are predicted."""

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
    """A micro-batch of plain rows, or a trie as one row.

    ids: padded on the right. at: indices into the flattened ids, of the hidden states that predict
    the supervised tokens: those before them. targets: the supervised tokens. counts: how many rows
    supervise each (None: one). weights: of its loss, the sum of those rows' (None: `counts`).

    positions and mask (0 where a query sees a key, the least number where not) only for a trie.
    Plain rows need no mask: in causal attention no token sees the padding to its right, and without
    a mask the attention takes its fast path.
    """

    ids: Tensor  # int64 [rows, time]
    at: Tensor  # int64 [supervised]
    targets: Tensor  # int64 [supervised]
    counts: Tensor | None = None  # float32 [supervised]
    weights: Tensor | None = None  # float32 [supervised]
    positions: Tensor | None = None  # int64 [1, time]
    mask: Tensor | None = None  # [1, 1, time, time]

    @property
    def supervised(self) -> int:
        """Supervised tokens of all rows together."""
        return len(self.targets) if self.counts is None else int(self.counts.sum())

    def parts(self, size: int) -> Iterator[tuple[slice, "Layout"]]:
        """The same pass with at most `size` of the supervised tokens each, and which those are."""
        for start in range(0, len(self.targets), size):
            at = slice(start, start + size)
            own = {"at": self.at[at], "targets": self.targets[at]}
            counts = None if self.counts is None else self.counts[at]
            weights = None if self.weights is None else self.weights[at]
            yield at, replace(self, **own, counts=counts, weights=weights)


def rows(samples: Sequence[Sample], device: torch.device, skip: int = 0) -> Layout:
    """A row for each sample, without the first `skip` tokens: a shared prefix, in a cache already.

    It must end before the last token of every prompt, which predicts the first supervised one.
    """
    longest = max(len(s.ids) for s in samples) - skip
    ids = np.zeros((len(samples), longest), dtype=np.int64)  # [rows, time]
    for row, sample in enumerate(samples):
        ids[row, : len(sample.ids) - skip] = sample.ids[skip:]
    at = [
        np.arange(s.start, len(s.ids)) + row * longest - skip - 1 for row, s in enumerate(samples)
    ]  # of each row [its supervised]
    targets = [s.ids[s.start :] for s in samples]
    weights = np.repeat([s.weight for s in samples], [s.supervised for s in samples])
    return Layout(
        ids=torch.from_numpy(ids).to(device),
        at=torch.from_numpy(np.concatenate(at)).to(device),
        targets=torch.from_numpy(np.concatenate(targets).astype(np.int64)).to(device),
        weights=_weights(samples, weights, device),
    )


def _weights(
    samples: Sequence[Sample], weights: NDArray[np.float64], device: torch.device
) -> Tensor | None:
    """float32 [supervised]; None where every row weighs 1, which is computed without them."""
    if all(sample.weight == 1 for sample in samples):
        return None
    return torch.from_numpy(weights.astype(np.float32)).to(device)


def trie(samples: Sequence[Sample], device: torch.device, dtype: torch.dtype) -> Layout:
    """One row that holds each shared prefix once; every token sees its ancestors and itself.

    Below, time is the number of nodes of the trie, in depth-first order. dtype: of the mask, which
    is the one that products are computed in.
    """
    found = Sorted.of(samples)
    paths = _paths(found)
    size = found.nodes
    ids, parents = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)  # [time]
    positions, counts = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)  # [time]
    weights = np.zeros(size)  # [time]
    seen = np.zeros((size, size), dtype=np.bool_)  # [queries, keys]
    for row, path, shared in zip(found.rows, paths, found.shared, strict=True):
        own = path[shared:]  # what no row before has: contiguous
        ids[path], positions[path] = row.ids, np.arange(len(path))
        parents[path[1:]] = path[:-1]
        counts[path[row.start :]] += 1
        weights[path[row.start :]] += row.weight
        if len(own):
            first = int(own[0])
            seen[first : first + len(own), path[:shared]] = True
            seen[first : first + len(own), own] = np.tri(len(own), dtype=np.bool_)
    supervised = np.flatnonzero(counts)  # [supervised]
    hidden = torch.from_numpy(~seen)
    mask = torch.zeros(size, size, dtype=dtype).masked_fill_(hidden, torch.finfo(dtype).min)
    return Layout(
        ids=torch.from_numpy(ids)[None].to(device),  # [1, time]
        at=torch.from_numpy(parents[supervised]).to(device),
        targets=torch.from_numpy(ids[supervised]).to(device),
        counts=torch.from_numpy(counts[supervised].astype(np.float32)).to(device),
        weights=_weights(samples, weights[supervised], device),
        positions=torch.from_numpy(positions)[None].to(device),  # [1, time]
        mask=mask[None, None].to(device),  # [1, 1, time, time]
    )


def _paths(found: Sorted) -> list[NDArray[np.int64]]:
    """For each row, the node of the trie of each of its tokens: int64 [length]."""
    paths: list[NDArray[np.int64]] = []
    path, size = np.zeros(0, dtype=np.int64), 0
    for row, shared in zip(found.rows, found.shared.tolist(), strict=True):
        new = len(row.ids) - shared
        path = np.concatenate([path[:shared], np.arange(size, size + new)])
        paths.append(path)
        size += new
    return paths
