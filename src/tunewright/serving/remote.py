"""Vectors from the engine: an `embedding.encoder.Encoder` for those who have no torch."""

import queue
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tunewright.embedding.encoder import Source
from tunewright.errors import TunewrightError, Unavailable
from tunewright.serving.client import EngineClient
from tunewright.serving.protocol import Message

# Ids of one message: some 2 MB, and what the engine holds of one call. More goes in several.
_TOKENS = 400_000


class EngineEncoder:
    """Thread-safe. Leaving `encode` by an exception cancels what is under way."""

    def __init__(self, engine: EngineClient, *, on_gpu: bool = False) -> None:
        """engine: its own one, so that vectors stand before nobody's tokens."""
        self._engine, self.on_gpu = engine, on_gpu
        self._closed = False

    def close(self) -> None:
        """What is under way fails, and whatever comes afterwards."""
        self._closed = True
        self._engine.close()

    def encode(
        self, source: Source, inputs: Sequence[Sequence[int]], skips: Sequence[int] = ()
    ) -> NDArray[np.float32]:
        """As `embedding.encoder.Encoder`; no inputs give [0, 0]."""
        parts = [self._asked(source, inputs[at], skips[at]) for at in _parts(inputs)]
        return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)

    def _asked(
        self, source: Source, inputs: Sequence[Sequence[int]], skips: Sequence[int]
    ) -> NDArray[np.float32]:
        if self._closed:
            raise Unavailable("The server is shutting down. Send the request again later.")
        heard: queue.SimpleQueue[Message | TunewrightError] = queue.SimpleQueue()
        handle = self._engine.embed(source, inputs, heard.put, skips=skips)
        try:
            return _gathered(heard, len(inputs))
        finally:
            handle.cancel()


def _gathered(
    heard: "queue.SimpleQueue[Message | TunewrightError]", number: int
) -> NDArray[np.float32]:
    """Raises Unavailable where the engine gives other rows than were asked for."""
    rows: NDArray[np.float32] | None = None  # [number, d]
    missing = np.ones(number, bool)
    while True:
        message = heard.get()
        if isinstance(message, TunewrightError):
            raise message
        if message["op"] != "vectors":
            break
        places, part = message["places"], message["rows"]
        if rows is None:
            rows = np.empty((number, part.shape[1]), np.float32)
        if part.shape[1] != rows.shape[1] or places.max() >= number:
            raise _nonsense()
        rows[places] = part
        missing[places] = False
    if rows is None or missing.any():
        raise _nonsense()
    return rows


def _nonsense() -> Unavailable:
    return Unavailable("The engine gave other vectors than it was asked for. Try again.")


def _parts(inputs: Sequence[Sequence[int]]) -> Iterator[slice]:
    """All inputs in their order, at most `_TOKENS` ids together, or one input."""
    first, tokens = 0, 0
    for at, ids in enumerate(inputs):
        if at > first and tokens + len(ids) > _TOKENS:
            yield slice(first, at)
            first, tokens = at, 0
        tokens += len(ids)
    if first < len(inputs):
        yield slice(first, len(inputs))
