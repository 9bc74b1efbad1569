"""The embedding models in memory: a few, the least recently used goes."""

import gc
from pathlib import Path

import torch

from tunewright.embedding.encoder import Source
from tunewright.encoders.encoder import Encoder, give_back
from tunewright.errors import Unavailable
from tunewright.generation.progress import Progress
from tunewright.settings import Settings
from tunewright.weights import base

RESIDENT = 2


def embedding_device() -> torch.device:
    """By the setting `embedding_device`. Raises Unavailable where it is `gpu` and torch finds
    none."""
    asked = Settings().embedding_device
    found = torch.device("cpu") if asked == "cpu" else base.device()
    if asked == "gpu" and found.type == "cpu":
        raise Unavailable(
            'The setting embedding_device is "gpu", and torch finds none. Set it to "auto" or '
            '"cpu", or install a torch for your GPU.'
        )
    return found


class ResidentEncoders:
    """One thread owns it."""

    def __init__(
        self, progress: Progress, device: torch.device | None = None, places: int = RESIDENT
    ) -> None:
        self._progress, self._places = progress, places
        self._device = device or embedding_device()
        self._encoders: dict[Source, Encoder] = {}  # the least recently used first

    @property
    def full(self) -> bool:
        return len(self._encoders) >= self._places

    def holds(self, source: Source) -> bool:
        return source in self._encoders

    def load(self, source: Source) -> Encoder:
        """Raises as `Encoder` does."""
        encoder = self._encoders.pop(source, None)
        if encoder is None:
            self._make_room(source)
            encoder = Encoder(Path(source.directory), self._progress, self._device)
        self._encoders[source] = encoder
        return encoder

    def rest(self) -> None:
        give_back(self._device)

    def _make_room(self, source: Source) -> None:
        """Also for other content of the same directory: nobody asks for what was there before."""
        leave = [known for known in self._encoders if known.directory == source.directory]
        leave = leave or list(self._encoders)[: max(0, len(self._encoders) + 1 - self._places)]
        for known in leave:
            del self._encoders[known]
        if leave:
            gc.collect()  # half a second, which only a model's place is worth
            give_back(self._device)
