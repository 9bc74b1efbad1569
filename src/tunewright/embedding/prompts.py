"""The text that goes before an input, and where it ends among the input's tokens.

Both are tokenized together, as sentence-transformers does: after ``query: `` the blank belongs to
the first word of the text, and the tokens of the two alone would be others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tunewright.embedding.embedder import Embedder

Ids = list[int]


@dataclass(frozen=True)
class Prompt:
    """`ids`: of the `text` alone. An empty one changes nothing."""

    text: str
    ids: Ids

    @classmethod
    def of(cls, embedder: Embedder, text: str) -> "Prompt":
        return cls(text, embedder.tokenize([text])[0] if text else [])

    def tokenize(self, embedder: Embedder, texts: Sequence[str]) -> tuple[list[Ids], list[Ids]]:
        """Of each text the ids that belong to the prompt, and the others, which follow them."""
        if not self.text:
            return [[] for _ in texts], embedder.tokenize(texts)
        whole = embedder.tokenize([self.text + text for text in texts])
        ends = [_common(self.ids, ids) for ids in whole]
        heads = [ids[:end] for ids, end in zip(whole, ends, strict=True)]
        return heads, [ids[end:] for ids, end in zip(whole, ends, strict=True)]


def _common(one: Ids, other: Ids) -> int:
    """How many ids both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
