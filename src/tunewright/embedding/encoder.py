"""The `Encoder` protocol: how an embedder has its vectors computed by torch, in another process."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Source:
    """Which weights: a directory, and the fingerprint of its content (empty: it has no manifest).

    Complete in itself, so an engine that was started anew needs no registration."""

    directory: str
    fingerprint: str = ""


class Encoder(Protocol):
    """Turns token ids into vectors, somewhere else. Thread-safe."""

    @property
    def on_gpu(self) -> bool: ...

    def encode(
        self, source: Source, inputs: Sequence[Sequence[int]], skips: Sequence[int] = ()
    ) -> NDArray[np.float32]:
        """Unit vectors [inputs, d], each of its input alone.

        inputs: ids with the special tokens around them, none empty. skips: how many ids at the
        beginning of each are a prompt, which some models leave out of the vector; empty: none.

        Raises BadRequest for ids that the model cannot read, NotFound, Corrupt or BadRequest for a
        directory that cannot be used, Busy, Unavailable where the engine ends or is late, and
        MissingExtra where it has no torch.
        """
        ...
