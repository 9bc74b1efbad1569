"""A transformer of sentence-transformers' files, computed by torch in the engine process.

Here is all but that: the tokenizer, the special tokens, the prompts. No torch.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tunewright import durable
from tunewright.embedding.encoder import Encoder, Source
from tunewright.embedding.piped import OfPipeline
from tunewright.errors import Unavailable

# Padded tokens of a batch. On a CPU they stay in its cache; a GPU needs many to be busy, but a
# batch is what a request still costs whose client has left, and what others wait for.
CPU_TOKENS, GPU_TOKENS = 1024, 16_384


class NoEncoder:
    """Where nobody has said which engine is to be asked."""

    on_gpu = False

    def encode(
        self, source: Source, inputs: Sequence[Sequence[int]], skips: Sequence[int] = ()
    ) -> NDArray[np.float32]:
        raise Unavailable(
            f"The model in {source.directory} is computed by torch in the engine, and none is "
            "asked here. Use it through a server, or `with Tunewright(home) as tw:`."
        )


class TorchEmbedder(OfPipeline):
    def __init__(self, directory: Path, encoder: Encoder | None = None) -> None:
        """Raises Corrupt or BadRequest for files that cannot be used, and as `encoder` does where
        they do not say how long a vector is."""
        super().__init__(directory)
        manifested = (directory / durable.MANIFEST).is_file()
        fingerprint = durable.fingerprint(directory) if manifested else ""
        self._source = Source(str(directory), fingerprint)
        self._encoder = encoder or NoEncoder()
        self.batch_tokens = GPU_TOKENS if self._encoder.on_gpu else CPU_TOKENS
        known = self.pipeline.dimensions or self.chosen.found.get("dimensions")
        self.declare(known or self._tried())

    def computed(self, rows: list[list[int]], skips: list[int]) -> NDArray[np.float32]:
        return self._encoder.encode(self._source, rows, skips if any(skips) else [])

    def _tried(self) -> int:
        """The length of its vectors."""
        return self.computed([[*self.first, self.padding, *self.last]], [0]).shape[1]
