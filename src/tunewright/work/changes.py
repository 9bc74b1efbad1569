"""Has anything been written to the catalog? Asked often, so asking costs next to nothing."""

import sqlite3
import threading
from pathlib import Path


class Changes:
    """A connection of its own, whose thread alone uses it. A query costs 4 us, not the 700 of
    looking for a task."""

    def __init__(self, catalog: Path) -> None:
        self._catalog = catalog
        self._connection: sqlite3.Connection | None = None

    def version(self) -> int | None:
        """Another number after every commit of any process; None where that cannot be told now."""
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(self._catalog, isolation_level=None, timeout=0)
            return self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:  # no file is left, or the catalog is in use
            return None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class Watch:
    """Counts changes for all who wait for one: waking costs more than asking, so one thread does
    both, and the lanes of a worker sleep."""

    def __init__(self, catalog: Path) -> None:
        self._catalog = catalog
        self._changed = threading.Condition()
        self._over = False
        self.count = 0

    def run(self, stopping: threading.Event, seconds: float) -> None:
        """Look every `seconds` until `stopping` is set; then nobody waits any more."""
        changes = Changes(self._catalog)
        seen = None  # what was written before the first look may have been missed
        while not stopping.wait(seconds):
            version = changes.version()
            if version is None or version != seen:
                self._wake()
            seen = version
        changes.close()
        self._over = True
        self._wake()

    def wait(self, seen: int, seconds: float) -> None:
        """Until `count` is another than `seen`, which was taken before the catalog was looked at;
        `seconds` at most."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self.count != seen, seconds)

    def _wake(self) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()
