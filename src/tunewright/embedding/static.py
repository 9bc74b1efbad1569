"""Static embeddings: a text is the weighted mean of its tokens' vectors. numpy, tokenizers only.

A directory holds `vectors.npy` (int8 [vocabulary, d]), `scales.npy` (float32 [vocabulary]: the
quantization step of the row, times the token's weight), `tokenizer.json` and `config.json`. Only
the mean's direction counts, so the weighted sum is enough and the weights need no array.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright import durable
from tunewright.embedding.embedder import Declared, Embedder
from tunewright.embedding.texts import OfTokenizer
from tunewright.embedding.vectors import unit
from tunewright.errors import Corrupt

_TOKENS = 2048  # gathered at once: at 256 dimensions 2 MB of float32, which stay in the CPU's cache
TEXTS_AT_ONCE = 16 * _TOKENS  # tokens: some 30 ms; nothing is padded


class StaticEmbedder(OfTokenizer):
    batch_tokens = TEXTS_AT_ONCE

    def __init__(self, directory: Path) -> None:
        """Raises Corrupt for files that are broken or do not fit together."""
        self._vectors = _array(directory / "vectors.npy", np.int8, mapped=True)
        self._scales = _array(directory / "scales.npy", np.float32)
        declared = Declared.read(durable.read_json(directory / "config.json"))
        super().__init__(directory / "tokenizer.json", declared)
        rows = len(self._vectors)
        if self._vectors.ndim != 2 or self._vectors.shape[1] != self.dimensions:
            raise Corrupt(f"{directory}: vectors.npy is not of the dimensions in config.json.")
        if self._scales.shape != (rows,) or self.vocabulary > rows:
            raise Corrupt(f"{directory}: vectors, scales and vocabulary differ in length.")

    def embed_tokens(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        return unit(added_up(batch, self.dimensions, self._rows))

    def _rows(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """[ids, d]"""
        rows = self._vectors[ids].astype(np.float32)
        rows *= self._scales[ids][:, None]
        return rows


def open_static(directory: Path) -> Embedder:
    """A table in our own form, or in that of sentence-transformers or model2vec."""
    if (directory / "vectors.npy").is_file():
        return StaticEmbedder(directory)
    from tunewright.embedding.tables import TableEmbedder

    return TableEmbedder(directory)


def added_up(
    batch: Sequence[Sequence[int]],
    dimensions: int,
    vectors: Callable[[NDArray[np.int64]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """[inputs, dimensions]: of each input the sum of the `vectors` [ids, dimensions] of its ids."""
    sums = np.zeros((len(batch), dimensions), np.float32)
    for owners, starts, ids in _blocks(batch):
        # A text's parts come in order and only its last one shares a block, so its sum is the same
        # to the bit whatever is in the block beside it.
        sums[owners] += np.add.reduceat(vectors(ids), starts, axis=0)  # [texts of the block, d]
    return sums


def _blocks(
    encoded: Sequence[Sequence[int]],
) -> Iterator[tuple[list[int], list[int], NDArray[np.int64]]]:
    """Pack texts into blocks of at most `_TOKENS` ids: (indices of the texts, where each starts,
    ids [block]).

    A longer text is cut at multiples of `_TOKENS` from its own start. Empty texts are in no block:
    reduceat would give them their neighbour's vector.
    """
    owners: list[int] = []
    starts: list[int] = []
    ids: list[int] = []
    for owner, text in enumerate(encoded):
        for start in range(0, len(text), _TOKENS):
            piece = text[start : start + _TOKENS]
            if len(ids) + len(piece) > _TOKENS:
                yield owners, starts, np.array(ids, np.int64)
                owners, starts, ids = [], [], []
            owners.append(owner)
            starts.append(len(ids))
            ids += piece
    if ids:
        yield owners, starts, np.array(ids, np.int64)


def _array(path: Path, kind: type[np.generic], *, mapped: bool = False) -> NDArray[Any]:
    """Raises Corrupt where the file is broken or holds another dtype."""
    try:
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise Corrupt(f"{path} cannot be read: {error}") from error
    if array.dtype != kind:
        raise Corrupt(f"{path} holds {array.dtype}, not {np.dtype(kind)}.")
    return array
