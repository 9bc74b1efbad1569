"""SQLite's files: how they are opened, and what can go wrong with them, in words."""

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from tunewright.errors import Corrupt, StorageFull, TunewrightError, Unavailable

BUSY_SECONDS = 10.0
"""So long does a writer wait for another one."""

_NO_FILE_LEFT = (sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMMAP)
_NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)


def set_up(connection: Any) -> None:
    """What every connection needs: a commit is on the disk when it returns, what is deleted is
    overwritten, and readers wait for nobody (WAL)."""
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


def scrub(cursor: Any, seconds: float) -> bool:
    """Wipe what was deleted from the write-ahead log too; whether nothing was in the way. Outside
    of transactions only.

    secure_delete has overwritten it in the database; the log still holds the pages as they were.
    SQLite holds the write lock while it waits for readers: `seconds` is how long at most nobody
    else can write.
    """
    cursor.execute(f"PRAGMA busy_timeout={seconds * 1000:.0f}")
    try:
        (held, *_) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")
    return not held


def plain(error: Exception, path: Path, what: str) -> TunewrightError:
    """What went wrong with SQLite's file at `path`, for whoever meets it. what: what it is."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(path, str(error), what)
    if code in _NO_ROOM:
        return StorageFull(f"The disk that holds the {what} is full. Free some space and retry.")
    if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return busy(what)
    unwritable = code & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
    if unwritable and not os.access(path.parent, os.W_OK):
        return TunewrightError(
            f"{path.parent} cannot be written to, which reading the {what} needs as well. Give "
            "this user the right to write there, or mount it writable."
        )
    if code & 0xFF == sqlite3.SQLITE_CANTOPEN or code in _NO_FILE_LEFT:
        return Unavailable(f"The {what} cannot be opened now. Please try again in a moment.")
    return TunewrightError(f"The {what} cannot be used: {error}")


def busy(what: str) -> Unavailable:
    return Unavailable(f"The {what} is busy. Please try again in a moment.")


def damaged(path: Path, found: str, what: str) -> Corrupt:
    reason = " ".join(found.split())  # SQLite tells it in lines
    return Corrupt(
        f"{path} is damaged ({reason}). Nothing was changed. Put a backup of it in its place, or "
        f"save what can be read with: sqlite3 {path} .recover | sqlite3 recovered.db",
        code=f"{what.replace(' ', '_')}_corrupt",
    )
