"""Memory goes back to the system soon after a large request.

glibc keeps what was freed for the next one, in an arena for each thread: after a few bodies of
8 MB on different threads that came to 2 GB, which nothing gave back.
"""

import asyncio
import ctypes
from typing import Any

from tunewright.machine import trim

LARGE = 1 << 20  # bytes of a body, after which it is worth the while
PAUSE = 1.0  # seconds; a call takes some milliseconds and holds up who allocates
_ARENAS = 2
_M_ARENA_MAX = -8


class Trimmer:
    """Does nothing where the C library cannot (macOS, musl)."""

    def __init__(self) -> None:
        library: Any = ctypes.CDLL(None)
        self._can = hasattr(library, "malloc_trim")
        if self._can:
            library.mallopt(_M_ARENA_MAX, _ARENAS)
        self._planned = False

    def soon(self) -> None:
        """Trim once in a while; to be called on the event loop."""
        if not self._can or self._planned:
            return
        self._planned = True
        asyncio.get_running_loop().call_later(PAUSE, self._start)

    def _start(self) -> None:
        self._planned = False
        asyncio.get_running_loop().run_in_executor(None, trim)
