"""The catalog's file: how it is opened, who may wait to write to it, and what can go wrong."""

import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc

from tunewright.errors import Corrupt, StorageFull, TunewrightError, Unavailable

BUSY_SECONDS = 10.0
"""So long does a writer wait for another one."""

MOST_WAITING = 12  # of the 40 threads that answer requests
STUCK_SECONDS = 1.0

_NO_FILE_LEFT = (sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMMAP)


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
                raise _busy()
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
        return _busy()
    error = getattr(error, "orig", None) or error  # SQLite's own; _on_connect's is not wrapped
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(path, str(error))
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
        return StorageFull("The disk that holds the catalog is full. Free some space and retry.")
    if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _busy()
    unwritable = code & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
    if unwritable and not os.access(path.parent, os.W_OK):
        return TunewrightError(
            f"{path.parent} cannot be written to, which reading the catalog needs as well. Give "
            "this user the right to write there, or mount it writable."
        )
    if code & 0xFF == sqlite3.SQLITE_CANTOPEN or code in _NO_FILE_LEFT:
        return Unavailable("The catalog cannot be opened now. Please try again in a moment.")
    return TunewrightError(f"The catalog cannot be used: {error}")


def _on_connect(connection: Any, _: Any) -> None:
    # SQLAlchemy must not open transactions by itself: _on_begin does, as IMMEDIATE, so that a
    # read-then-write never fails half-way with SQLITE_BUSY_SNAPSHOT.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_SECONDS * 1000:.0f}",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")
    _use_wal(connection)


def _use_wal(connection: Any) -> None:
    # SQLite does not wait here, whatever busy_timeout says: of 480 openings of new catalogs, eight
    # at once, 4 were refused.
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.01)


def _on_begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _busy() -> Unavailable:
    return Unavailable("The catalog is busy. Please try again in a moment.")


def damaged(path: Path, found: str) -> Corrupt:
    reason = " ".join(found.split())  # SQLite tells it in lines
    return Corrupt(
        f"{path} is damaged ({reason}). Nothing was changed. Put a backup of it in its place, or "
        f"save what can be read with: sqlite3 {path} .recover | sqlite3 recovered.db",
        code="catalog_corrupt",
    )
