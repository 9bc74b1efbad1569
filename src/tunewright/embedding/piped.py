"""Embedders by the files of sentence-transformers: all but the transformer's own computation."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.normalizers import Lowercase, Normalizer
from tokenizers.normalizers import Sequence as InTurn

from tunewright.embedding.chosen import Chosen
from tunewright.embedding.embedder import Declared
from tunewright.embedding.modules import Pipeline
from tunewright.embedding.texts import OfTokenizer
from tunewright.embedding.vectors import unit
from tunewright.errors import Corrupt
from tunewright.rendering.configuration import read_object

_PROBE = "one two"  # any text that a tokenizer makes tokens of


class OfPipeline(OfTokenizer, ABC):
    """An `Embedder` by what computes the vectors of rows of ids, special tokens in place."""

    def __init__(self, directory: Path) -> None:
        """Raises Corrupt or BadRequest for files that cannot be used."""
        self.pipeline = Pipeline.read(directory)
        self.chosen = Chosen.read(directory) or Chosen(engine="")
        super().__init__(self.pipeline.transformer / "tokenizer.json", Declared(1))
        if self.pipeline.lower:
            _lower(self._tokenizer)
        self.vocabulary = 1 + max(self._tokenizer.get_vocab().values(), default=-1)
        self._check_vocabulary()
        self.first, self.last = around(self._tokenizer)
        self.padding = _padding(self.pipeline.transformer, self._tokenizer)
        self._declared = replace(self._declared, context=self._context())
        self._heads = self._prompt_heads()

    def declare(self, dimensions: int) -> None:
        """Called once, when the length of its vectors is known. Raises Corrupt where the files say
        another."""
        if self.pipeline.dimensions not in (None, dimensions):
            raise Corrupt(
                f"{self.pipeline.directory}: its vectors have {dimensions} components, and its "
                f"files say {self.pipeline.dimensions}. They are not of one model."
            )
        sizes = self.chosen.matryoshka
        sizes = self.pipeline.matryoshka if sizes is None else sizes
        self._declared = Declared(
            dimensions,
            self._declared.context,
            prefixes=sizes is not None,
            prompts=dict(self.pipeline.prompts),
            sizes=tuple(size for size in sizes or () if size <= dimensions),
            default_prompt=self.pipeline.default_prompt,
            long_inputs=self.chosen.long_inputs,
        )

    def embed_tokens(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        if not batch:
            return np.zeros((0, self.dimensions), np.float32)
        rows = [[*self.first, *ids, *self.last] or [self.padding] for ids in batch]
        return unit(self.computed(rows, [self._head(ids) for ids in batch]))

    @abstractmethod
    def computed(self, rows: list[list[int]], skips: list[int]) -> NDArray[np.float32]:
        """[rows, dimensions], of any length. skips: how many first tokens of each row are a prompt
        that its pooling leaves out; 0: none."""

    def _check_vocabulary(self) -> None:
        """Raises Corrupt where the tokenizer is clearly of another model than the weights. Tables
        are often a little longer than the vocabulary, and never twice as long."""
        home = self.pipeline.transformer
        rows = read_object(home / "config.json").get("vocab_size")
        if type(rows) is int and not self.vocabulary <= rows <= 2 * self.vocabulary:
            raise Corrupt(
                f"{home / 'tokenizer.json'} has {self.vocabulary:,} tokens, but config.json says "
                f"{rows:,}. Use the tokenizer and the weights of the same model."
            )

    def _context(self) -> int | None:
        """Tokens of a text without the special ones around it."""
        length = self.pipeline.length
        if length is None:
            return None
        room = length - len(self.first) - len(self.last)
        if room < 1:
            raise Corrupt(f"{self.pipeline.directory} reads {length} tokens: too few for a text.")
        return room

    def _prompt_heads(self) -> list[tuple[list[int], int]]:
        """Of each prompt the ids that a text with it begins with, and how many tokens are not
        pooled then; the longest first. What a text's first token takes of it, such as a last blank,
        is not among the ids."""
        if self.pipeline.pooling.include_prompt:
            return []
        prompts = [text for text in self.pipeline.prompts.values() if text.strip()]
        heads = zip(
            self.tokenize([text.rstrip() for text in prompts]), self.tokenize(prompts), strict=True
        )
        found = [(head, len(self.first) + len(whole)) for head, whole in heads]
        return sorted(found, key=lambda each: -len(each[0]))

    def _head(self, ids: Sequence[int]) -> int:
        start = list(ids[: len(self._heads[0][0])]) if self._heads else []
        return next((skip for head, skip in self._heads if start[: len(head)] == head), 0)


def around(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens that a tokenizer's own post-processor puts before and after a text."""
    bare = tokenizer.encode(_PROBE, add_special_tokens=False).ids
    whole = tokenizer.encode(_PROBE, add_special_tokens=True).ids
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return whole[:start], whole[start + len(bare) :]
    raise Corrupt("tokenizer.json changes a text's own tokens where it adds special ones.")


def padded(rows: Sequence[Sequence[int]], padding: int) -> tuple[NDArray[np.int64], ...]:
    """ids and mask, both [rows, time], padded on the right: a token's position is its place."""
    longest = max(map(len, rows))
    ids = np.full((len(rows), longest), padding, np.int64)
    mask = np.zeros((len(rows), longest), np.int64)
    for row, each in enumerate(rows):
        ids[row, : len(each)] = each
        mask[row, : len(each)] = 1
    return ids, mask


def _lower(tokenizer: Tokenizer) -> None:
    """As sentence-transformers does where it is told to: once more does no harm."""
    before: Normalizer | None = tokenizer.normalizer
    steps = [Lowercase()] if before is None else [Lowercase(), before]
    tokenizer.normalizer = InTurn(steps)


def _padding(home: Path, tokenizer: Tokenizer) -> int:
    """RoBERTa knows padding by this id."""
    id = read_object(home / "config.json").get("pad_token_id")
    if type(id) is int and id >= 0:
        return id
    named = read_object(home / "tokenizer_config.json").get("pad_token")
    text = named.get("content") if isinstance(named, dict) else named
    return (tokenizer.token_to_id(text) if isinstance(text, str) else None) or 0
