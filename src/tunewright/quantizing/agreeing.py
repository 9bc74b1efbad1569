"""How nearly two embedders agree, and which is how fast."""

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tunewright.embedding.embedder import Embedder

Vectors = NDArray[np.float32]

_NEIGHBOURS = 10
_TIE = 1e-6
_TOKENS = 512  # of a batch
_SECONDS = 0.7  # of processor time, each embedder


def agreement(exact: Vectors, fast: Vectors, alone: Vectors) -> dict[str, float]:
    """Of the vectors [texts, d] of the same texts. alone: those of `fast`, each text by itself."""
    cosines = np.einsum("ij,ij->i", exact, fast)
    return {
        "cosine_mean": float(cosines.mean()),
        "cosine_min": float(cosines.min()),
        "overlap_at_10": overlap(exact, fast),
        "alone_min": float(np.einsum("ij,ij->i", alone, fast).min()),
    }


def overlap(exact: Vectors, fast: Vectors) -> float:
    """The share of each text's ten nearest others that stay; what is as near as the tenth counts
    as one of them."""
    expected, found = _similar(exact), _similar(fast)  # [texts, texts]
    last = np.sort(expected, axis=1)[:, -_NEIGHBOURS]  # [texts]
    nearest = np.argsort(-found, axis=1)[:, :_NEIGHBOURS]  # [texts, 10]
    kept = np.take_along_axis(expected, nearest, axis=1) >= last[:, None] - _TIE
    return float(kept.mean())


def _similar(vectors: Vectors) -> Vectors:
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, -np.inf)
    return similar


def batches(inputs: Sequence[list[int]]) -> list[list[int]]:
    """The places of `inputs`, the shortest first, in batches."""
    found: list[list[int]] = []
    for place in sorted(range(len(inputs)), key=lambda place: len(inputs[place])):
        if not found or (len(found[-1]) + 1) * len(inputs[place]) > _TOKENS:
            found.append([])
        found[-1].append(place)
    return found


def vectors(embedder: Embedder, inputs: Sequence[list[int]], *, alone: bool = False) -> Vectors:
    """[inputs, d]."""
    rows = np.empty((len(inputs), embedder.dimensions), np.float32)
    for places in [[place] for place in range(len(inputs))] if alone else batches(inputs):
        rows[places] = embedder.embed_tokens([inputs[place] for place in places])
    return rows


def speeds(embedders: Sequence[Embedder], inputs: Sequence[list[int]]) -> list[float]:
    """Tokens a second of processor time of each; taken by turns, that others' load hits all."""
    spent, tokens = [0.0] * len(embedders), [0] * len(embedders)
    while min(spent) < _SECONDS:
        for places in batches(inputs):
            batch = [inputs[place] for place in places]
            for number, embedder in enumerate(embedders):
                started = time.process_time()
                embedder.embed_tokens(batch)
                spent[number] += time.process_time() - started
                tokens[number] += sum(map(len, batch))
    return [each / seconds for each, seconds in zip(tokens, spent, strict=True)]
