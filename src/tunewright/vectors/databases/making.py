"""A database's client, made by the first call."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any


class Made:
    """make: may ask a server, which may never answer. So nobody waits for the thread that does;
    of two clients that were made at once the second is ended. alone: it asks nobody, and a second
    one would be in its way. (`functools.cached_property` has one lock for all instances of a class
    before Python 3.12: a server that is silent would block the clients of all others.)"""

    def __init__(
        self, make: Callable[[], Any], end: Callable[[Any], None], *, alone: bool = False
    ) -> None:
        self._make, self._end = make, end
        self._making = threading.Lock() if alone else nullcontext()
        self._keeping = threading.Lock()
        self._client: Any = None

    def __call__(self) -> Any:
        if self._client is None:
            with self._making:
                if self._client is None:
                    self._keep(self._make())
        return self._client

    def _keep(self, made: Any) -> None:
        with self._keeping:
            if self._client is None:
                self._client = made
                return
        self._end(made)

    def close(self) -> None:
        if self._client is not None:
            self._end(self._client)
