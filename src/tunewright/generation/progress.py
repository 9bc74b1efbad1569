"""Does the engine get on? Marked by its main loop and inside long computations, read by a thread.

A computation may take long on a small machine, so it is not its length that tells a loop without
end from work, but that no layer of the model comes to its end.
"""

import math
import time
from typing import Any


class Progress:
    def __init__(self) -> None:
        self._at = time.monotonic()
        self._patience = 1.0

    def begin(self, patience: float = 1.0) -> None:
        """Something begins whose parts take up to `patience` times as long as usual."""
        self._patience = patience
        self._at = time.monotonic()

    def mark(self, *_: Any) -> None:
        """A part of it is done. Takes what hooks of torch are given."""
        self._at = time.monotonic()

    def rest(self) -> None:
        """There is nothing to do: no silence is too long, until something begins."""
        self._at = math.inf

    def stalled(self, seconds: float) -> bool:
        return time.monotonic() - self._at > seconds * self._patience


PROGRESS = Progress()
"""Of the one main loop that a process has."""
