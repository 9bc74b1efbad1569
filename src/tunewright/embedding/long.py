"""Inputs of any length, one vector each: those longer than the context are chunked and averaged.

Of the ways to embed a text longer than a model's context as one vector, the mean of equal chunks
is best at finding what comes after the first context: 0.588 of queries rank the right text first,
against 0.379 when it is truncated at 256 tokens; 0.567 against 0.667 for what comes before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tunewright.embedding.batching import Vectors, embedded
from tunewright.embedding.embedder import Embedded, Embedder
from tunewright.embedding.vectors import averaged


@dataclass(frozen=True)
class Chunks:
    """Inputs as an embedder can read them. `tokens`: of each input, without a prompt.

    `rows`: what is embedded; `owners`: of each row, its input; `weights`: its length. Inputs that
    fit are a row each, and then there are neither owners nor weights.
    """

    tokens: list[int]  # [inputs]
    rows: list[list[int]]  # [rows]
    owners: list[int]
    weights: list[int]
    chunked: int = 0

    @classmethod
    def of(
        cls, embedder: Embedder, inputs: Sequence[list[int]], prompt: Sequence[int] = ()
    ) -> "Chunks":
        """`prompt` goes before each input, and before each chunk of one. Chunks of an input differ
        by at most one token."""
        tokens = [len(ids) for ids in inputs]
        room = _room(embedder, prompt)
        if room is None or max(tokens, default=0) <= room:
            return cls(tokens, [[*prompt, *ids] for ids in inputs], [], [])
        chunks = [(i, chunk) for i, ids in enumerate(inputs) for chunk in _equal(ids, room)]
        return cls(
            tokens,
            [[*prompt, *chunk] for _, chunk in chunks],
            [owner for owner, _ in chunks],
            [max(1, len(chunk)) for _, chunk in chunks],
            sum(length > room for length in tokens),
        )

    def embedded(self, vectors: Vectors) -> Embedded:
        """Vectors [rows, d] of the rows as [inputs, d]: the mean of an input's chunks, weighted by
        their length."""
        if self.owners:
            vectors = averaged(vectors, self.owners, self.weights, len(self.tokens))
        return Embedded(vectors, self.tokens, self.chunked)


def embed_long(
    embedder: Embedder, inputs: Sequence[list[int]], prompt: Sequence[int] = ()
) -> Embedded:
    """Vectors [inputs, dimensions] of token ids, whatever their length, computed here and now."""
    chunks = Chunks.of(embedder, inputs, prompt)
    return chunks.embedded(embedded(embedder, chunks.rows))


def _room(embedder: Embedder, prompt: Sequence[int]) -> int | None:
    """Tokens of a chunk; None where there is no limit."""
    context = embedder.declared.context
    return None if context is None else max(1, context - len(prompt))


def _equal(ids: list[int], room: int) -> list[list[int]]:
    """As few chunks as fit, of equal length but for one token."""
    count = max(1, -(-len(ids) // room))
    edges = [len(ids) * i // count for i in range(count + 1)]
    return [ids[start:end] for start, end in pairwise(edges)]
