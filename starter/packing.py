"""The training mix as rows of token ids: sources drawn by share, documents packed whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from starter.corpus import CHAT_SHARES, CHATS, TEXT_SHARES, TEXTS, documents
from starter.tokenizer import END_OF_TEXT
from tokenizers import Tokenizer

IGNORED = -100
POOL = 48  # documents to choose from: enough that a short one nearly always fills a row's rest


@dataclass(frozen=True)
class Source:
    """The documents of one source: ids one after another, document i at bounds[i] : bounds[i + 1].

    Text opens with <|endoftext|>; a chat is its rendered template.
    """

    ids: NDArray[np.uint16]
    bounds: NDArray[np.int64]

    def endless(self, rng: np.random.Generator, longest: int) -> Iterator[NDArray[np.uint16]]:
        """Pieces of at most `longest` tokens, every document once before any comes again."""
        while True:
            for row in rng.permutation(len(self.bounds) - 1):
                start, end = self.bounds[row], self.bounds[row + 1]
                for cut in range(start, end, longest):
                    yield self.ids[cut : min(cut + longest, end)]


def tokenized(corpus: Path, tokenizer: Tokenizer, cache: Path) -> dict[str, Source]:
    """All sources; the first call takes a minute or two and leaves them in `cache`."""
    if not cache.is_file():
        sources = _tokenize(corpus, tokenizer)
        arrays = {f"{name}.ids": source.ids for name, source in sources.items()}
        arrays |= {f"{name}.bounds": source.bounds for name, source in sources.items()}
        cache.parent.mkdir(parents=True, exist_ok=True)
        staged = cache.with_name(f"part-{cache.name}")
        np.savez(staged, allow_pickle=False, **arrays)
        staged.replace(cache)
    with np.load(cache, allow_pickle=False) as arrays:
        names = {key.rpartition(".")[0] for key in arrays}
        return {name: Source(arrays[f"{name}.ids"], arrays[f"{name}.bounds"]) for name in names}


def _tokenize(corpus: Path, tokenizer: Tokenizer) -> dict[str, Source]:
    opening = tokenizer.token_to_id(END_OF_TEXT)
    found: dict[str, list[NDArray[np.uint16]]] = {}
    for family in (*TEXTS, *CHATS):
        head = [opening] if family in TEXTS else []
        names, texts = zip(*documents(corpus, family), strict=True)
        for name, encoded in zip(names, tokenizer.encode_batch_fast(texts), strict=True):
            found.setdefault(name, []).append(np.array(head + encoded.ids, np.uint16))
    return {name: _joined(pieces) for name, pieces in found.items()}


def _joined(pieces: list[NDArray[np.uint16]]) -> Source:
    lengths = np.array([0, *map(len, pieces)], np.int64)
    return Source(np.concatenate(pieces), np.cumsum(lengths))


def shares(text: float) -> dict[str, float]:
    """The share of every source where plain text has `text` of the tokens."""
    mix = {name: share * text for name, share in TEXT_SHARES.items()}
    return mix | {name: share * (1 - text) for name, share in CHAT_SHARES.items()}


def drawn(
    sources: Mapping[str, Source], mix: Mapping[str, float], length: int, seed: list[int]
) -> Iterator[NDArray[np.uint16]]:
    """Documents without end: each time from the source that is furthest behind its share."""
    wanted = {name: share for name, share in mix.items() if share > 0}
    streams = {
        name: sources[name].endless(np.random.default_rng([*seed, place]), length)
        for place, name in enumerate(sorted(wanted))
    }
    given = dict.fromkeys(sorted(wanted), 0)
    while True:
        name = min(given, key=lambda each: given[each] / wanted[each])
        piece = next(streams[name])
        given[name] += len(piece)
        yield piece


def packed(pieces: Iterator[NDArray[np.uint16]], length: int) -> Iterator[NDArray[np.int64]]:
    """Rows of `length` + 1 ids that open with a document and hold whole ones; the rest is IGNORED.

    The longest document that still fits is taken, so nearly nothing is padding, and no chat loses
    its beginning or its end.
    """
    pool = [next(pieces) for _ in range(POOL)]
    while True:
        row = np.full(length + 1, IGNORED, np.int64)
        used = 0
        fitting = 0  # the oldest opens the row, so that none waits for ever
        while fitting is not None:
            piece = pool.pop(fitting)
            row[used : used + len(piece)] = piece
            used += len(piece)
            pool.append(next(pieces))
            fits = [at for at, each in enumerate(pool) if len(each) <= length + 1 - used]
            fitting = max(fits, key=lambda at: len(pool[at]), default=None)
        yield row


def batches(
    sources: Mapping[str, Source],
    mix: Mapping[str, float],
    length: int,
    rows: int,
    seed: list[int],
) -> Iterator[NDArray[np.int64]]:
    """Batches [rows, length + 1]; the same arguments give the same ones."""
    stream = packed(drawn(sources, mix, length + 1, seed), length)
    while True:
        yield np.stack([next(stream) for _ in range(rows)])
