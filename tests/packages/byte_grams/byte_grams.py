"""Texts of any script as counts of their byte n-grams, hashed: an engine without weights."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tunewright import durable
from tunewright.embedding.embedder import Declared
from tunewright.embedding.texts import OfTokens
from tunewright.embedding.vectors import unit

MIX = np.uint64(0x9E3779B97F4A7C15)


class ByteGrams(OfTokens):
    vocabulary, unknown = 256, None  # a token is a byte, and there is none that it cannot read

    def __init__(self, directory: Path) -> None:
        super().__init__(Declared.read(durable.read_json(directory / "config.json")))

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(str.encode(text, errors="replace")) for text in texts]

    def spelled(self, inputs: Sequence[Sequence[int]]) -> list[str]:
        return [bytes(ids).decode(errors="replace") for ids in inputs]

    def embed_tokens(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        vectors = np.zeros((len(batch), self.dimensions), np.float32)  # [inputs, d]
        for vector, ids in zip(vectors, batch, strict=True):
            grams = np.array(ids, np.uint64)  # [bytes]
            for _ in range(3):  # of two, three and four bytes
                grams = (grams[:-1] * MIX) ^ np.array(ids[len(ids) - len(grams) + 1 :], np.uint64)
                place = (grams * MIX) >> np.uint64(33)
                np.add.at(vector, place % np.uint64(self.dimensions), np.float32(1))
        return unit(vectors)
