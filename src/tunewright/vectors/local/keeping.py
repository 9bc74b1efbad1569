"""One thread of an index that does, a moment later, what no caller should wait for."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from tunewright.errors import TunewrightError
from tunewright.vectors.local.collection import Collection
from tunewright.vectors.local.store import Gone

log = logging.getLogger(__name__)

SOON = 1.0
"""Seconds from when it was asked for: what comes meanwhile is done together."""

_AFTER_FAILURE = 30.0


class Keeper:
    """using: opens a collection for the length of a block. The thread starts when it is first
    needed."""

    def __init__(self, using: Callable[[str], AbstractContextManager[Collection]]) -> None:
        self._using = using
        self._due: dict[str, float] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def ask(self, name: str, seconds: float | None = None) -> None:
        """Have `Collection.keep` done in so many seconds (`SOON`), unless it is due before."""
        with self._changed:
            if self._closed:
                return
            self._due.setdefault(name, time.monotonic() + (SOON if seconds is None else seconds))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="vectors", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while (name := self._next()) is not None:
            again = self._keep(name)
            if again is not None:
                self.ask(name, again)

    def _next(self) -> str | None:
        """What is due, once something is; None when all is over."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                name = min(self._due, key=self._due.__getitem__, default=None)
                if name is not None and self._due[name] <= now:
                    del self._due[name]
                    return name
                self._changed.wait(None if name is None else self._due[name] - now)
            return None

    def _keep(self, name: str) -> float | None:
        """In how many seconds to come again; None where all is done."""
        try:
            with self._using(name) as collection:
                return None if collection.keep() else SOON
        except Gone:
            return None
        except TunewrightError as error:
            log.warning("collection %s: %s", name, error.message)
        except Exception:
            log.exception("collection %s", name)
        return _AFTER_FAILURE

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
