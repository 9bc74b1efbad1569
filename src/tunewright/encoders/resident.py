"""The embedding models in memory: as many as fit, the least recently used goes first."""

import gc
import logging
from pathlib import Path

import torch

from tunewright import machine
from tunewright.embedding.encoder import Source
from tunewright.encoders.encoder import Encoder, give_back
from tunewright.errors import Unavailable
from tunewright.generation.progress import Progress
from tunewright.settings import Settings
from tunewright.weights import base

MOST = 8
_LEFT = 0.1  # of all memory stays free, for batches and for whatever else runs
_WIDER = 2.5

log = logging.getLogger(__name__)


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
    """One thread owns it. Models stay while there is memory for others; `most` at a time."""

    def __init__(
        self, progress: Progress, device: torch.device | None = None, most: int = MOST
    ) -> None:
        self._progress, self._most = progress, most
        self._device = device or embedding_device()
        self._encoders: dict[Source, Encoder] = {}  # the least recently used first

    def holds(self, source: Source) -> bool:
        return source in self._encoders

    def fits(self, source: Source) -> bool:
        """Whether it can be loaded without dropping another."""
        if len(self._encoders) >= self._most:
            return False
        free, whole = _memory(self._device)
        return _needed(Path(source.directory)) + whole * _LEFT <= free

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
        """Also where there is other content at the same place: nobody asks for what was there
        before. Where all have gone it is tried, whatever it needs."""
        for known in [known for known in self._encoders if known.directory == source.directory]:
            self._drop(known)
        while self._encoders and not self.fits(source):
            self._drop(next(iter(self._encoders)))

    def _drop(self, source: Source) -> None:
        log.info("%s makes room", source.directory)
        del self._encoders[source]
        gc.collect()  # half a second, which only a model's place is worth
        give_back(self._device)


def _memory(device: torch.device) -> tuple[int, int]:
    """Bytes that are free, and all that there are."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)
    return machine.available_memory(), machine.memory()


def _needed(directory: Path) -> int:
    """Bytes while it is loaded, some: weights that are kept in two bytes are four wide then."""
    files = directory.rglob("*.safetensors")
    return int(_WIDER * sum(file.stat().st_size for file in files))
