"""Texts to token ids of a model's own vocabulary, a bounded number at a time."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tunewright.embedding.embedder import Declared, Embedded, Embedder
from tunewright.embedding.long import embed_long
from tunewright.errors import Corrupt
from tunewright.rendering.encoding import unknown_id
from tunewright.stepwise import Steps, finish

# Tokenized at once. A token costs the tokenizer up to 465 bytes, and a character can be a token.
_TEXTS = 256
_CHARACTERS = 1 << 16


class Texts:
    """A tokenizer without truncation, padding and special tokens around."""

    def __init__(self, path: Path) -> None:
        """Raises Corrupt where `path` is not a tokenizer.json that can be read."""
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception
            raise Corrupt(f"{path} cannot be read: {error}") from error
        self._tokenizer.no_truncation()  # many published files have both baked in
        self._tokenizer.no_padding()

    @property
    def vocabulary(self) -> int:
        return self._tokenizer.get_vocab_size()

    @functools.cached_property
    def unknown(self) -> int | None:
        return unknown_id(self._tokenizer)

    def spelled(self, inputs: Sequence[Sequence[int]]) -> list[str]:
        return self._tokenizer.decode_batch([list(ids) for ids in inputs])

    def id(self, token: str) -> int | None:
        return self._tokenizer.token_to_id(token)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        return [ids for batch in _batches(texts) for ids in self._encode(batch)]

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for batch in _batches(texts) for ids in self._encode(batch)]

    def embed(self, embedder: Embedder, texts: Sequence[str]) -> Embedded:
        """As `Embedder.embed`, by `embed_tokens` of one batch of texts after another."""
        vectors = np.empty((len(texts), embedder.dimensions), np.float32)  # [texts, d]
        tokens: list[int] = []
        chunked = 0
        for batch in _batches(texts):
            found = embed_long(embedder, self._encode(batch))
            vectors[len(tokens) : len(tokens) + len(batch)] = found.vectors
            tokens += found.tokens
            chunked += found.chunked
        return Embedded(vectors, tokens, chunked)

    def _encode(self, texts: list[str]) -> list[list[int]]:
        try:
            encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        except TypeError:  # also what it raises for half a surrogate pair
            texts = [str.encode(text, errors="replace").decode() for text in texts]
            encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]


class OfTokens(ABC):
    """The parts of an `Embedder` that follow from tokenizer, config.json and `embedding`."""

    def __init__(self, directory: Path, config: dict[str, Any]) -> None:
        self._texts = Texts(directory / "tokenizer.json")
        self._declared = Declared.read(config)

    @property
    def declared(self) -> Declared:
        return self._declared

    @property
    def dimensions(self) -> int:
        return self._declared.dimensions

    @property
    def vocabulary(self) -> int:
        return self._texts.vocabulary

    @property
    def unknown(self) -> int | None:
        return self._texts.unknown

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        return self._texts.tokenize(texts)

    def spelled(self, inputs: Sequence[Sequence[int]]) -> list[str]:
        return self._texts.spelled(inputs)

    def count(self, texts: Sequence[str]) -> list[int]:
        return self._texts.count(texts)

    def embed(self, texts: Sequence[str]) -> Embedded:
        return self._texts.embed(self, texts)

    def embed_tokens(self, inputs: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        return finish(self.embedding(inputs))

    @abstractmethod
    def embedding(self, inputs: Sequence[Sequence[int]]) -> Steps[NDArray[np.float32]]: ...


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    characters = 0
    for text in texts:
        if batch and (len(batch) == _TEXTS or characters + len(text) > _CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(text)
        characters += len(text)
    if batch:
        yield batch
