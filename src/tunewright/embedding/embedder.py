"""The `Embedder` protocol and what it returns. Light: numpy only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Embedded:
    """`vectors` is float32 [n, dimensions], C-contiguous; `tokens[i]` counts the tokens of text i.

    `tokens` counts what the text has, also where the model reads only the beginning of it.
    """

    vectors: NDArray[np.float32]
    tokens: list[int]


class Embedder(Protocol):
    """Turns texts into vectors of unit length. One instance serves any number of threads at once.

    * Row i belongs to text i: order is kept, repetitions are not merged.
    * Every row has length 1 within 1e-5 and is finite, also for an empty text, one of unknown
      characters only, or one of a million words.
    * A text's vector depends on the text alone: the same alone, in any batch and at any place in
      it. How close is the engine's to say, never below a cosine of 0.9999; static: equal bits.
    * No texts give vectors of shape [0, dimensions] and no tokens.
    * `count` gives the `tokens` of `embed` without its cost.
    * Nothing is truncated silently except where the model itself has a limit; its card says so.

    Memory beyond the result is bounded, however many texts come. Opening raises Corrupt for files
    that do not fit together; after that, TypeError for what is not a str is all that is raised.
    """

    @property
    def dimensions(self) -> int: ...

    def count(self, texts: Sequence[str]) -> list[int]: ...

    def embed(self, texts: Sequence[str]) -> Embedded: ...
