"""The catalog's file: how it is opened, who may wait to write to it, and what can go wrong."""

import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc

from tunewright.durable import sqlite
from tunewright.durable.sqlite import BUSY_SECONDS
from tunewright.errors import Corrupt, TunewrightError

MOST_WAITING = 12  # of the 40 threads that answer requests
STUCK_SECONDS = 1.0
_WHAT = "catalog"


def engine(path: Path, **pool: int) -> Engine:
    place = URL.create("sqlite", database=str(path))  # as text, a ? in it would end the path
    made = create_engine(place, pool_timeout=BUSY_SECONDS, **pool)
    event.listen(made, "connect", _on_connect)
    event.listen(made, "begin", _on_begin)
    return made


class Queue:
    """Those of this process who wait to write. Where somebody else holds the catalog they are a
    few: threads that wait answer nobody, and reading needs none of what they wait for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = 0
        self._moved = 0.0
        self._mine = threading.local()

    def __enter__(self) -> None:
        with self._lock:
            now = time.monotonic()
            if self._waiting == 0:
                self._moved = now
            if self._waiting >= MOST_WAITING and now - self._moved > STUCK_SECONDS:
                raise sqlite.busy(_WHAT)
            self._waiting += 1
            self._mine.waits = True

    def moved(self) -> None:
        """This thread's turn has come."""
        with self._lock:
            self._waiting -= 1
            self._moved = time.monotonic()
            self._mine.waits = False

    def __exit__(self, *_: object) -> None:
        if self._mine.waits:
            self.moved()


def plain(error: Exception, path: Path) -> TunewrightError:
    """What went wrong with the catalog, in words for whoever meets it."""
    if isinstance(error, exc.TimeoutError):  # every connection is in use
        return sqlite.busy(_WHAT)
    # SQLite's own; _on_connect's is not wrapped
    return sqlite.plain(getattr(error, "orig", None) or error, path, _WHAT)


def damaged(path: Path, found: str) -> Corrupt:
    return sqlite.damaged(path, found, _WHAT)


def _on_connect(connection: Any, _: Any) -> None:
    # SQLAlchemy must not open transactions by itself: _on_begin does, as IMMEDIATE, so that a
    # read-then-write never fails half-way with SQLITE_BUSY_SNAPSHOT.
    connection.isolation_level = None
    sqlite.set_up(connection)


def _on_begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
