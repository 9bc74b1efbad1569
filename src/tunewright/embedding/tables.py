"""Tables of token vectors as others publish them: StaticEmbedding of sentence-transformers, and
model2vec.

`model.safetensors` holds `embedding.weight` [vocabulary, d], as sentence-transformers writes it; or
`embeddings` [rows, d], as model2vec does, with `weights` [vocabulary] of the tokens and `mapping`
[vocabulary] to their rows, where it has them. model2vec leaves unknown tokens out of the mean,
sentence-transformers does not: each is done as its own package does it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.embedding import tensors
from tunewright.embedding.dense import unsupported
from tunewright.embedding.piped import OfPipeline
from tunewright.embedding.pooling import after
from tunewright.embedding.static import TEXTS_AT_ONCE, added_up
from tunewright.embedding.vectors import unit
from tunewright.errors import Corrupt

_OURS, _THEIRS = "embedding.weight", "embeddings"


class TableEmbedder(OfPipeline):
    batch_tokens = TEXTS_AT_ONCE

    def __init__(self, directory: Path) -> None:
        """Raises Corrupt or BadRequest for files that are broken or do not fit together."""
        super().__init__(directory)
        self._file = self.pipeline.transformer / "model.safetensors"
        held = _read(self._file)
        if (table := held.get(_OURS)) is None and (table := held.get(_THEIRS)) is None:
            raise unsupported(
                f"{self._file} holds no {_OURS} and no {_THEIRS}: no table of tokens."
            )
        self._table = table
        self._weights, self._mapping = held.get("weights"), held.get("mapping")
        self._left_out = self.unknown if _THEIRS in held else None
        self._check()
        self.declare(after(np.zeros((1, self._table.shape[1]), np.float32), self.pipeline).shape[1])

    def _check(self) -> None:
        """Raises Corrupt where a token would have no vector."""
        if self._table.ndim != 2 or not np.isfinite(self._table).all():
            raise Corrupt(f"{self._file}: its table is not [tokens, dimensions] of finite numbers.")
        for name, each in (("weights", self._weights), ("mapping", self._mapping)):
            if each is not None and (each.ndim != 1 or len(each) < self.vocabulary):
                raise Corrupt(f"{self._file}: `{name}` are fewer than {self.vocabulary:,} tokens.")
        rows = self.vocabulary if self._mapping is None else 1 + int(self._mapping.max(initial=0))
        if rows > len(self._table) or (self._mapping is not None and self._mapping.min() < 0):
            raise Corrupt(
                f"{self._file} has {len(self._table):,} vectors, and tokenizer.json has ids up to "
                f"{rows - 1:,}. Use the table and the tokenizer of the same model."
            )

    def embed_tokens(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Of the text's own tokens: no special ones go around them, whatever the tokenizer says."""
        if self._left_out is not None:
            batch = [[id for id in ids if id != self._left_out] for ids in batch]
        return unit(self.computed(list(map(list, batch)), []))

    def computed(self, rows: list[list[int]], skips: list[int]) -> NDArray[np.float32]:
        sums = added_up(rows, self._table.shape[1], self._vectors)  # [inputs, d]
        counts = np.array([max(1, len(ids)) for ids in rows], np.float32)
        return after(sums / counts[:, None], self.pipeline)

    def _vectors(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """[ids, d]"""
        places = ids if self._mapping is None else self._mapping[ids]
        rows = self._table[places].astype(np.float32)
        if self._weights is not None:
            rows *= self._weights[ids, None].astype(np.float32)
        return rows


def _read(file: Path) -> dict[str, NDArray[Any]]:
    if not file.is_file():
        raise unsupported(f"{file} is missing: only weights in safetensors are read.")
    return tensors.read(file)
