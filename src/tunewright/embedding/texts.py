"""The parts of an embedder that follow from others; texts are tokenized a bounded number at a
time."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tunewright.embedding.embedder import Declared, Embedded
from tunewright.embedding.long import embed_long
from tunewright.errors import Corrupt
from tunewright.rendering.encoding import unknown_id
from tunewright.stepwise import batches

# Tokenized at once. A token costs the tokenizer up to 465 bytes, and a character can be a token.
_TEXTS = 256
_CHARACTERS = 1 << 16


class OfTokens(ABC):
    """An `Embedder` by its `vocabulary`, `unknown`, `tokenize`, `spelled` and `embed_tokens`.

    `batch_tokens` is right for a transformer on a CPU, whose cache it fills: texts of 64 tokens are
    3,820 a second of the processor in batches of 128 to 512, 3,580 in 1,024; texts of 128 tokens
    3,460 and 2,810. 4,096 took 1.35 times as long as 1,024.
    """

    vocabulary: int
    unknown: int | None
    batch_tokens: int = 512

    def __init__(self, declared: Declared) -> None:
        self._declared = declared

    @property
    def declared(self) -> Declared:
        return self._declared

    @property
    def dimensions(self) -> int:
        return self._declared.dimensions

    @abstractmethod
    def tokenize(self, texts: Sequence[str]) -> list[list[int]]: ...

    @abstractmethod
    def spelled(self, inputs: Sequence[Sequence[int]]) -> list[str]: ...

    @abstractmethod
    def embed_tokens(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]: ...

    def count(self, texts: Sequence[str]) -> list[int]:
        return [
            len(ids)
            for batch in batches(texts, _CHARACTERS, _TEXTS)
            for ids in self.tokenize(batch)
        ]

    def embed(self, texts: Sequence[str]) -> Embedded:
        vectors = np.empty((len(texts), self.dimensions), np.float32)  # [texts, d]
        tokens: list[int] = []
        chunked = 0
        for batch in batches(texts, _CHARACTERS, _TEXTS):
            found = embed_long(self, self.tokenize(batch))
            vectors[len(tokens) : len(tokens) + len(batch)] = found.vectors
            tokens += found.tokens
            chunked += found.chunked
        return Embedded(vectors, tokens, chunked)


class OfTokenizer(OfTokens, ABC):
    """One that also has a tokenizer.json, used without truncation, padding and special tokens
    around."""

    def __init__(self, path: Path, declared: Declared) -> None:
        """Raises Corrupt where `path` is not a tokenizer.json that can be read."""
        super().__init__(declared)
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception
            raise Corrupt(f"{path} cannot be read: {error}") from error
        self._tokenizer.no_truncation()  # many published files have both baked in
        self._tokenizer.no_padding()
        self.vocabulary = self._tokenizer.get_vocab_size()
        self.unknown = unknown_id(self._tokenizer)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        found: list[list[int]] = []
        for batch in batches(texts, _CHARACTERS, _TEXTS):
            try:
                encoded = self._tokenizer.encode_batch_fast(batch, add_special_tokens=False)
            except TypeError:  # also what it raises for half a surrogate pair
                whole = [str.encode(text, errors="replace").decode() for text in batch]
                encoded = self._tokenizer.encode_batch_fast(whole, add_special_tokens=False)
            found += [encoding.ids for encoding in encoded]
        return found

    def spelled(self, inputs: Sequence[Sequence[int]]) -> list[str]:
        return self._tokenizer.decode_batch([list(ids) for ids in inputs])
