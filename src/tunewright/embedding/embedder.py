"""The `Embedder` protocol, what it returns, and what a model declares. Light: numpy only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tunewright.embedding.chosen import LongInputs
from tunewright.errors import Corrupt


@dataclass(frozen=True)
class Declared:
    """What `config.json` of a model says of it, whatever its engine.

    `dimensions`: components of a vector. `context`: most tokens it reads at once (None: no limit).
    `prefixes`: whether the first k components, scaled to length 1, are a vector as well (Matryoshka
    embeddings): `sizes` are those k, none for any. `prompts`: by name (`query` and `document` are
    the sides of a search), the text that goes before the input; `default_prompt` is the one that
    does unless another is asked for. `long_inputs`: what becomes of an input beyond the context.
    """

    dimensions: int
    context: int | None = None
    prefixes: bool = False
    prompts: dict[str, str] = field(default_factory=dict)
    sizes: tuple[int, ...] = ()
    default_prompt: str | None = None
    long_inputs: LongInputs = "average"

    @classmethod
    def read(cls, config: dict[str, Any]) -> "Declared":
        """Raises Corrupt where a value is not what it must be."""
        dimensions: Any = config.get("dimensions")
        context: Any = config.get("context")
        prefixes, prompts = config.get("prefixes", False), config.get("prompts", {})
        sound = {
            "dimensions": _count(dimensions),
            "context": context is None or _count(context),
            "prefixes": isinstance(prefixes, bool),
            "prompts": isinstance(prompts, dict)
            and all(isinstance(text, str) for text in prompts.values()),
        }
        if wrong := [name for name, fine in sound.items() if not fine]:
            raise Corrupt(f"config.json: `{wrong[0]}` is {config.get(wrong[0])!r}.")
        return cls(dimensions, context, prefixes, prompts)


def _count(value: Any) -> bool:
    return type(value) is int and value >= 1


@dataclass(frozen=True)
class Embedded:
    """The vectors of n texts, C-contiguous, and the number of tokens of each text.

    `chunked`: how many of the texts were longer than the model reads at once, so that their vector
    is the mean of their chunks'; `truncated`: so that it is of their beginning. `unknown`: of each
    text, how many of its tokens stand for what the model cannot read; `unreadable`: the indices of
    texts that have no other, whose vectors are all the same.
    """

    vectors: NDArray[np.float32]  # [n, dimensions]
    tokens: list[int]  # [n]
    chunked: int = 0
    unknown: list[int] = field(default_factory=list)  # [n]
    unreadable: list[int] = field(default_factory=list)
    truncated: int = 0


class Embedder(Protocol):
    """Turns texts into vectors of unit length. One instance serves any number of threads at once.

    * Row i belongs to text i: order is kept, repetitions are not merged.
    * Every row has length 1 within 1e-5 and is finite, also for an empty text, one of unknown
      characters only, or one of a million words.
    * A text's vector depends on the text alone: the same alone, in any batch and at any place in
      it, within a cosine similarity of 0.9999 at least; static: equal bits.
    * No texts give vectors of shape [0, dimensions] and no tokens.
    * `tokenize` gives the ids of each text, all below `vocabulary`; `count` their numbers; `embed`
      is `embed_tokens` of them, with texts beyond `declared.context` cut and averaged
      (`embedding.long`). Nothing is truncated.
    * `unknown` is the id of the token for whatever it cannot read; None where it reads everything.
      `spelled` gives the text that ids stand for, special tokens left out.
    * `embed_tokens` takes ids of its own vocabulary, at most `declared.context` an input, and
      computes them together: one batch. Who calls it makes batches of inputs of like length, of at
      most `batch_tokens` with padding; a longer input comes alone (`embedding.batching`).
      `batch_tokens` is where more at once is no faster: others wait for a batch, and nothing stops
      it.

    Memory beyond the result is bounded, however many texts come. Opening raises Corrupt for files
    that do not fit together; after that, all that is raised is TypeError for what is not a str, and
    BadRequest by `embed` where `declared.long_inputs` is "error".
    """

    @property
    def declared(self) -> Declared: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def vocabulary(self) -> int: ...

    @property
    def unknown(self) -> int | None: ...

    @property
    def batch_tokens(self) -> int: ...

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]: ...

    def spelled(self, inputs: Sequence[Sequence[int]]) -> list[str]: ...

    def count(self, texts: Sequence[str]) -> list[int]: ...

    def embed(self, texts: Sequence[str]) -> Embedded: ...

    def embed_tokens(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """[inputs of the batch, dimensions]."""
        ...
