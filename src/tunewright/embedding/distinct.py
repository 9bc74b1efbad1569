"""Texts by the thousand, batch after batch: what came lately is not computed again.

A text's vector is the same in any batch to 0.9999 only, not to the bit. So that a table gives the
same bytes however often its work was interrupted, everything here follows from the texts, their
order and where the batches are cut: what is remembered too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tunewright.embedding.embedder import Embedder
from tunewright.embedding.long import embed_long
from tunewright.embedding.prompts import Prompt
from tunewright.embedding.recent import SLOTS, Recent, keys_of

Vectors = NDArray[np.float32]
NO_TOKEN = "the model knows no token of it"
_AT_ONCE = 1024  # texts
_PIECE = 1 << 16  # characters tokenized at once: a tokenizer takes up to 465 bytes for each


@dataclass
class Found:
    """`vectors`: of the texts that have one, in their order, [kept, d]. `left_out`: by the index of
    a text, why it has none. The other counts are of the `computed` texts alone."""

    vectors: Vectors
    left_out: dict[int, str] = field(default_factory=dict)
    computed: int = 0
    tokens: int = 0
    unknown: int = 0
    chunked: int = 0
    truncated: int = 0


class Distinct:
    def __init__(
        self,
        embedder: Embedder,
        fetch: Callable[[int], Vectors] | None,
        prompt: str = "",
        *,
        allow_unknown: bool = False,
    ) -> None:
        """fetch: the vector [d] of the n-th text that was kept, from 0; without it, equal texts
        are found within a batch only. prompt: goes before each
        text. allow_unknown: texts of which the model knows no token are kept as well."""
        self._embedder = embedder
        self._fetch = fetch
        self._prompt = Prompt.of(embedder, prompt)
        self._allow_unknown = allow_unknown
        self._recent = Recent(slots=1 if fetch is None else SLOTS)
        self.kept = 0

    def skip(self, texts: Sequence[str]) -> None:
        """These were kept by an earlier run, as a batch of this one would have kept them."""
        self._remember(keys_of(texts))

    def embed(self, texts: Sequence[str]) -> Found:
        keys = keys_of(texts)  # [texts, 2]
        before: list[int] = self._before(keys).tolist()  # [texts]
        first = _first_of_each(texts)  # [texts]
        new = [at for at in range(len(texts)) if before[at] < 0 and first[at] == at]
        found = self._computed([texts[at] for at in new])
        vectors = found.vectors
        missing = {new[at]: why for at, why in found.left_out.items()}
        row = {at: n for n, at in enumerate(at for at in new if at not in missing)}
        fetched = [at for at in range(len(texts)) if before[at] >= 0]
        row |= {at: len(vectors) + n for n, at in enumerate(fetched)}
        found.left_out = {at: missing[one] for at, one in enumerate(first) if one in missing}
        rows = [row[one] for one in first if one not in missing]
        self._remember(np.delete(keys, list(found.left_out), axis=0))
        if fetched and self._fetch is not None:
            vectors = np.concatenate([vectors, [self._fetch(before[at]) for at in fetched]])
        found.vectors = vectors if rows == list(range(len(vectors))) else vectors[rows]
        return found

    def _before(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        if self._fetch is None:
            return np.full(len(keys), -1, np.int64)
        return self._recent.find(keys)

    def _remember(self, keys: NDArray[np.uint64]) -> None:
        self._recent.remember(keys, np.arange(self.kept, self.kept + len(keys)))
        self.kept += len(keys)

    def _computed(self, texts: Sequence[str]) -> Found:
        """Some at a time: with the ids of 8,192 texts at once it takes some 10 % longer."""
        whole = Found(np.empty((len(texts), self._embedder.dimensions), np.float32))
        kept = 0
        for start in range(0, len(texts), _AT_ONCE):
            found = self._compute(texts[start : start + _AT_ONCE])
            whole.vectors[kept : kept + len(found.vectors)] = found.vectors
            whole.left_out |= {start + at: why for at, why in found.left_out.items()}
            kept += len(found.vectors)
            for name in ("computed", "tokens", "unknown", "chunked", "truncated"):
                setattr(whole, name, getattr(whole, name) + getattr(found, name))
        whole.vectors = whole.vectors[:kept]
        return whole

    def _compute(self, texts: Sequence[str]) -> Found:
        heads, ids = _tokenized(self._embedder, texts, self._prompt)
        unknown = self._embedder.unknown
        counts = [0 if unknown is None else each.count(unknown) for each in ids]
        left_out: dict[int, str] = {}
        if not self._allow_unknown:
            nothing = (at for at, each in enumerate(ids) if counts[at] == len(each))
            left_out = dict.fromkeys(nothing, NO_TOKEN)
        left_out |= _too_long(self._embedder, heads, ids)
        good = [at for at in range(len(ids)) if at not in left_out]
        done = embed_long(self._embedder, [ids[at] for at in good], [heads[at] for at in good])
        return Found(
            done.vectors,
            left_out,
            computed=len(good),
            tokens=sum(done.tokens),
            unknown=sum(counts[at] for at in good),
            chunked=done.chunked,
            truncated=done.truncated,
        )


def _first_of_each(texts: Sequence[str]) -> list[int]:
    """The index of the first text that is the same, of each: [texts]."""
    seen: dict[str, int] = {}
    return [seen.setdefault(text, at) for at, text in enumerate(texts)]


def _too_long(
    embedder: Embedder, heads: Sequence[list[int]], ids: Sequence[list[int]]
) -> dict[int, str]:
    """Where the model refuses them: by the index of a text, why it has no vector."""
    most = embedder.declared.context
    if most is None or embedder.declared.long_inputs != "error":
        return {}
    lengths = [len(head) + len(each) for head, each in zip(heads, ids, strict=True)]
    return {
        at: f"the model reads {most:,} tokens at once, and it has {length:,}"
        for at, length in enumerate(lengths)
        if length > most
    }


def _tokenized(
    embedder: Embedder, texts: Sequence[str], prompt: Prompt
) -> tuple[list[list[int]], list[list[int]]]:
    """Of each text the ids of the prompt before it, and its own. One that is longer than a request
    may be is cut at blanks first: all of it at once would take half a kilobyte for each of its
    characters."""
    short = [text if len(text) <= _PIECE else "" for text in texts]
    heads, ids = prompt.tokenize(embedder, short)
    for at, text in enumerate(texts):
        if len(text) > _PIECE:
            heads[at] = prompt.ids
            ids[at] = [id for piece in _pieces(text) for id in embedder.tokenize([piece])[0]]
    return heads, ids


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    start = 0
    while start < len(text):
        end = start + _PIECE
        blank = text.rfind(" ", start, end) if end < len(text) else -1
        end = blank if blank > start else end
        pieces.append(text[start:end])
        start = end
    return pieces
