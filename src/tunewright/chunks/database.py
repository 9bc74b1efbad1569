"""`chunks.db` of one store: how it is opened, and what can go wrong with it."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tunewright import durable
from tunewright.chunks import words
from tunewright.errors import Corrupt, StorageFull, TunewrightError, Unavailable

BUSY_SECONDS = 10.0
_IDLE = 2  # connections that are kept
_NO_FILE_LEFT = (sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMMAP)

# `words` keeps no copy of the texts (content=''): what is removed from it is told the text again,
# which has to be the one that was added, so both are always written together.
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS chunks (
    slot INTEGER PRIMARY KEY,
    file TEXT NOT NULL,
    number INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    "start" INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    page INTEGER,
    heading TEXT,
    text TEXT NOT NULL,
    UNIQUE (file, number)
);
CREATE TABLE IF NOT EXISTS readings (
    file TEXT PRIMARY KEY,
    reading TEXT NOT NULL,
    most INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS removals (id INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
    text, content='', tokenize='porter unicode61 remove_diacritics 2'
);
PRAGMA user_version = {words.VERSION};
COMMIT;
"""


class Database:
    """One instance serves any number of threads; other processes may have the file open too."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One atomic write; the file is made where there is none."""
        with self._connection(make=True) as connection:
            assert connection is not None
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has ended it already
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """One consistent view; None where there is no file."""
        with self._connection(make=False) as connection:
            if connection is None:
                yield None
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                with suppress(sqlite3.Error):
                    connection.execute("COMMIT")

    def empty_log(self) -> bool:
        """Move the write-ahead log into the file and cut it to nothing; False where a reader is in
        the way."""
        with self._connection(make=False) as connection:
            if connection is None:
                return True
            connection.execute("PRAGMA busy_timeout=100")
            try:
                (held, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")
            return not held

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _connection(self, *, make: bool) -> Iterator[sqlite3.Connection | None]:
        connection = None
        try:
            connection = self._take(make)
            yield connection
        except sqlite3.Error as error:
            if connection is not None:  # whatever state it is in
                connection.close()
                connection = None
            raise plain(error, self.path) from error
        finally:
            if connection is not None:
                self._give_back(connection)

    def _take(self, make: bool) -> sqlite3.Connection | None:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        there = self.path.exists()
        if not there and not make:
            return None
        if not there:
            durable.make_directory(self.path.parent)
        return _open(self.path)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        connection.close()


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        for pragma in ("synchronous=FULL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_SCHEMA)
        elif version != words.VERSION:
            raise TunewrightError(
                f"{path} was written by another version of Tunewright (its words are of version "
                f"{version}, this one has {words.VERSION}). Use that version again, or make the "
                "vector store anew from its files."
            )
    except BaseException:
        connection.close()
        raise
    return connection


def plain(error: sqlite3.Error, path: Path) -> TunewrightError:
    """What went wrong, in words for whoever meets it."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Corrupt(
            f"{path} is damaged ({error}). Nothing was changed. Put a backup of it in its place, "
            "or delete the vector store and make it anew from its files.",
            code="vector_store_corrupt",
        )
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
        return StorageFull(f"The disk that holds {path.parent} is full. Free some space and retry.")
    if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Unavailable("The vector store is busy. Please try again in a moment.")
    unwritable = code & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
    if unwritable and path.parent.exists() and not os.access(path.parent, os.W_OK):
        return TunewrightError(
            f"{path.parent} cannot be written to, which reading the vector store needs as well. "
            "Give this user the right to write there, or mount it writable."
        )
    if code & 0xFF == sqlite3.SQLITE_CANTOPEN or code in _NO_FILE_LEFT:
        return Unavailable("The vector store cannot be opened now. Please try again in a moment.")
    return TunewrightError(f"{path} cannot be used: {error}")
