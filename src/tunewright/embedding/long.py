"""Inputs of any length, one vector each: those longer than the context are chunked and averaged,
refused or cut off, as the model's `long_inputs` says.

Of the ways to embed a text longer than a model's context as one vector, the mean of equal chunks
is best at finding what comes after the first context: 0.588 of queries rank the right text first,
against 0.379 when it is truncated at 256 tokens; 0.567 against 0.667 for what comes before.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tunewright.embedding.batching import Vectors, embedded
from tunewright.embedding.embedder import Embedded, Embedder
from tunewright.embedding.vectors import averaged
from tunewright.errors import BadRequest
from tunewright.records.embeddings import too_long


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
    truncated: int = 0

    @classmethod
    def of(
        cls, embedder: Embedder, inputs: Sequence[list[int]], prompts: Sequence[list[int]] = ()
    ) -> "Chunks":
        """prompts: of each input, what goes before it, and before each chunk of it; none at all may
        be left out. Chunks of an input differ by at most one token. Raises BadRequest where the
        model refuses what is longer than its context."""
        heads = prompts or [[]] * len(inputs)
        tokens = [len(ids) for ids in inputs]
        rooms = [_room(embedder, head) for head in heads]
        long = [length > room for length, room in zip(tokens, rooms, strict=True)]
        if not any(long):
            rows = [head + ids for head, ids in zip(heads, inputs, strict=True)]
            return cls(tokens, rows, [], [])
        if embedder.declared.long_inputs == "error":
            at = long.index(True)
            raise too_long(str(tokens[at]), rooms[at])
        if embedder.declared.long_inputs == "truncate":
            rows = [h + ids[:room] for h, ids, room in zip(heads, inputs, rooms, strict=True)]
            return cls(tokens, rows, [], [], truncated=sum(long))
        chunks = [
            (i, chunk)
            for i, (ids, room) in enumerate(zip(inputs, rooms, strict=True))
            for chunk in _equal(ids, room)
        ]
        return cls(
            tokens,
            [heads[owner] + chunk for owner, chunk in chunks],
            [owner for owner, _ in chunks],
            [max(1, len(chunk)) for _, chunk in chunks],
            sum(long),
        )

    def embedded(self, vectors: Vectors) -> Embedded:
        """Vectors [rows, d] of the rows as [inputs, d]: the mean of an input's chunks, weighted by
        their length."""
        if self.owners:
            vectors = averaged(vectors, self.owners, self.weights, len(self.tokens))
        return Embedded(vectors, self.tokens, self.chunked, truncated=self.truncated)


def embed_long(
    embedder: Embedder, inputs: Sequence[list[int]], prompts: Sequence[list[int]] = ()
) -> Embedded:
    """Vectors [inputs, dimensions] of token ids, whatever their length, computed here and now."""
    chunks = Chunks.of(embedder, inputs, prompts)
    return chunks.embedded(embedded(embedder, chunks.rows))


def _room(embedder: Embedder, prompt: Sequence[int]) -> int:
    """Tokens of a chunk. Raises BadRequest where the prompt takes all."""
    context = embedder.declared.context
    if context is None:
        return sys.maxsize
    if len(prompt) >= context:
        raise BadRequest(
            f"The prompt of this model has {len(prompt)} tokens, and it reads {context} at once: "
            "there is no room for a text. Ask for another one, or none, by `prompt_name`.",
            param="prompt_name",
        )
    return context - len(prompt)


def _equal(ids: list[int], room: int) -> list[list[int]]:
    """As few chunks as fit, of equal length but for one token."""
    count = max(1, -(-len(ids) // room))
    edges = [len(ids) * i // count for i in range(count + 1)]
    return [ids[start:end] for start, end in pairwise(edges)]
