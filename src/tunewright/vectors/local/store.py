"""A collection's SQLite file: the truth of its rows.

A row has a slot, a number that is never used again, and never changes: who replaces a row, or only
its attributes, deletes it and adds another one. So a reader that has seen everything up to a
sequence (the count of what was committed) needs two things to go on: the rows above the highest
slot that it has seen, and the slots that were deleted since.
"""

import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright.durable import sqlite
from tunewright.errors import Corrupt, NotFound, TunewrightError
from tunewright.faults import fault
from tunewright.vectors.index import Metric

WHAT = "vector index"
_PAGE = 16_384  # bytes: ten vectors of 384 dimensions, two of 1,536 (4,096 would hold none whole)
_FORMAT = 1
_AT_ONCE = 500  # ids in one statement
MOST_DELETIONS = 100_000
"""Listed at most, some 2 MB: who has slept through more than these begins anew."""
_SCHEMA = (
    # The vectors lie apart, so that ids and attributes can be read without them.
    "CREATE TABLE IF NOT EXISTS rows (slot INTEGER PRIMARY KEY AUTOINCREMENT,"
    " id TEXT NOT NULL UNIQUE, attributes TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS vectors (slot INTEGER PRIMARY KEY, checksum INTEGER NOT NULL,"
    " vector BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS deletions (sequence INTEGER NOT NULL, slot INTEGER NOT NULL,"
    " PRIMARY KEY (sequence, slot)) WITHOUT ROWID",
    # The snapshots that may be used: the newest, and the one before, until the newest is there.
    "CREATE TABLE IF NOT EXISTS listings (token TEXT PRIMARY KEY) WITHOUT ROWID",
    # forgotten: deletions up to that sequence are not listed any more.
    "CREATE TABLE IF NOT EXISTS state (only INTEGER PRIMARY KEY CHECK (only = 1),"
    " format INTEGER NOT NULL, dimensions INTEGER NOT NULL, metric TEXT NOT NULL,"
    " sequence INTEGER NOT NULL, forgotten INTEGER NOT NULL, dropped INTEGER NOT NULL)",
)


class Gone(NotFound):
    """The file is none, or no more."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no collection '{name[:200]}' in the vector index.")


@dataclass(frozen=True)
class Row:
    """As it is stored. attributes: JSON. vector: little-endian float32."""

    slot: int
    id: str
    attributes: str
    checksum: int
    vector: bytes

    @property
    def whole(self) -> bool:
        return self.checksum == checksum(self.id, self.attributes, self.vector)


def checksum(id: str, attributes: str, vector: bytes | memoryview) -> int:
    """SQLite itself notices no bit that has flipped in a vector."""
    return zlib.crc32(vector, zlib.crc32(f"{id}\0{attributes}".encode()))


class Store:
    """Open on a collection's file. Raises Gone where there is none, Corrupt where it is damaged."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self._name = name
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._paging = threading.Lock()
        if not path.exists():
            raise Gone(name)
        with self._plainly():
            self._writer, self._reader, self._pager = (_connect(path) for _ in range(3))
        try:
            with self._plainly():
                state = self._state_of(self._reader)
        except BaseException:
            self.close()
            raise
        self.dimensions = int(state["dimensions"])
        self.metric: Metric = state["metric"]

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise sqlite.plain(error, self.path, WHAT) from error

    def _state_of(self, connection: sqlite3.Connection) -> dict[str, Any]:
        names: list[str] = []
        try:
            found = connection.execute("SELECT * FROM state")
            names = [column[0] for column in found.description]
            row = found.fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            row = None  # its making was never finished
        state = dict(zip(names, row, strict=True)) if row else {"dropped": 1}
        if state["dropped"]:
            raise Gone(self._name)
        if state["format"] > _FORMAT:
            raise TunewrightError(
                f"{self.path} was written by a newer Tunewright. Install that version to use it."
            )
        return state

    def version(self) -> int:
        """Changes whenever somebody has committed. Costs some 12 us."""
        with self._reading, self._plainly():
            return self._reader.execute("PRAGMA data_version").fetchone()[0]

    @contextmanager
    def reading(self, *, pages: bool = False) -> Iterator["Reading"]:
        """One consistent view, for a short time: an open reader keeps the log from being emptied.
        pages: beside searches, which wait for nobody's pages."""
        connection, lock = (self._pager, self._paging) if pages else (self._reader, self._reading)
        with lock, self._plainly():
            connection.execute("BEGIN")
            try:
                yield Reading(self, connection, self._state_of(connection))
            finally:
                connection.rollback()

    @contextmanager
    def writing(self) -> Iterator["Writing"]:
        """One write, whole or absent; whoever else writes waits."""
        with self._writing, self._plainly():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield Writing(self, self._writer, self._state_of(self._writer))
                fault("vectors.written")
                self._writer.execute("COMMIT")
            finally:
                if self._writer.in_transaction:
                    self._writer.rollback()
        fault("vectors.committed")

    def scrub(self, seconds: float = 0.0) -> bool:
        """Wipe what was deleted from the log; whether nothing was in the way."""
        with self._writing, self._plainly():
            return sqlite.scrub(self._writer, seconds)

    def shorten(self, files: int | None) -> None:
        """Forget old deletions where the list has become long, but for those that the files beside
        the store need, which reach as far as the sequence `files`."""
        with self.reading(pages=True) as reading:
            if not reading.lists_more_than(MOST_DELETIONS):
                return
        with self.writing() as writing:
            writing.forget(reading.sequence if files is None else files)

    def damaged(self, found: str) -> Corrupt:
        return sqlite.damaged(self.path, found, WHAT)

    def check(self) -> None:
        """Read the whole file. Raises Corrupt."""
        with self._paging, self._plainly():
            found = self._pager.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise self.damaged(found)

    def close(self) -> None:
        with self._writing, self._reading, self._paging:
            for connection in (self._pager, self._reader, self._writer):
                connection.close()


class Reading:
    """Inside of `Store.reading`."""

    def __init__(self, store: Store, connection: sqlite3.Connection, state: dict[str, Any]) -> None:
        self.store = store
        self.sequence: int = state["sequence"]
        self.forgotten: int = state["forgotten"]
        self._connection = connection

    def deleted_since(self, sequence: int) -> list[int]:
        """Slots, in the order of their deletion. Complete if `forgotten` <= sequence."""
        query = "SELECT slot FROM deletions WHERE sequence > ? ORDER BY sequence"
        return [slot for (slot,) in self._connection.execute(query, (sequence,))]

    def knows_snapshot(self, token: str) -> bool:
        query = "SELECT 1 FROM listings WHERE token = ?"
        return self._connection.execute(query, (token,)).fetchone() is not None

    def lists_more_than(self, deletions: int) -> bool:
        query = "SELECT count(*) FROM (SELECT 1 FROM deletions LIMIT ?)"
        return self._connection.execute(query, (deletions + 1,)).fetchone()[0] > deletions

    def above(self, slot: int, limit: int) -> list[Row]:
        """The first rows above a slot."""
        return self._rows("rows.slot > ? ORDER BY rows.slot LIMIT ?", (slot, limit))

    def after(self, id: str, limit: int) -> list[Row]:
        """In the order of ids, which is that of code points: SQLite compares UTF-8 by its bytes."""
        return self._rows("rows.id > ? ORDER BY rows.id LIMIT ?", (id, limit))

    def of(self, ids: Sequence[str]) -> list[Row]:
        """Those that are there, in the order given."""
        found = list[Row]()
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            found += self._rows(f"rows.id IN ({marks}) ORDER BY rows.id", tuple(some))
        return found

    def _rows(self, condition: str, given: tuple[object, ...]) -> list[Row]:
        query = (
            "SELECT rows.slot, rows.id, rows.attributes, ifnull(checksum, 0), ifnull(vector, x'')"
            f" FROM rows LEFT JOIN vectors ON vectors.slot = rows.slot WHERE {condition}"
        )
        rows = [Row(*found) for found in self._connection.execute(query, given)]
        size = 4 * self.store.dimensions
        for row in rows:
            if len(row.vector) != size or not row.whole:
                raise self.store.damaged(f"its row {row.slot} has other bytes than were written")
        return rows


class Writing:
    """Inside of `Store.writing`."""

    def __init__(self, store: Store, connection: sqlite3.Connection, state: dict[str, Any]) -> None:
        self._store = store
        self._connection = connection
        self._sequence: int = state["sequence"] + 1
        connection.execute("UPDATE state SET sequence = ?", (self._sequence,))

    def slots(self, ids: Sequence[str]) -> dict[str, int]:
        """Of those ids that are there."""
        found = dict[str, int]()
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            query = f"SELECT id, slot FROM rows WHERE id IN ({marks})"
            found.update(self._connection.execute(query, some))
        return found

    def vectors(self, slots: Iterable[int]) -> list[bytes]:
        query = "SELECT vector FROM vectors WHERE slot = ?"
        found = [self._connection.execute(query, (slot,)).fetchone() for slot in slots]
        if None in found:
            raise self._store.damaged("a vector is not there")
        return [vector for (vector,) in found]

    def delete(self, slots: Iterable[int]) -> None:
        gone = [(slot,) for slot in slots]
        self._connection.executemany("DELETE FROM rows WHERE slot = ?", gone)
        self._connection.executemany("DELETE FROM vectors WHERE slot = ?", gone)
        self._connection.executemany(
            f"INSERT INTO deletions VALUES ({self._sequence}, ?)", sorted(gone)
        )
        fault("vectors.rows_deleted")

    def add(self, ids: Sequence[str], attributes: Sequence[str], vectors: Sequence[Any]) -> None:
        """Rows with new slots, in this order. vectors: the bytes of each."""
        query = "SELECT seq FROM sqlite_sequence WHERE name = 'rows'"
        (highest,) = self._connection.execute(query).fetchone() or (0,)
        slots = range(highest + 1, highest + 1 + len(ids))
        self._connection.executemany(
            "INSERT INTO rows VALUES (?, ?, ?)", zip(slots, ids, attributes, strict=True)
        )
        fault("vectors.half")
        sums = map(checksum, ids, attributes, vectors)
        self._connection.executemany(
            "INSERT INTO vectors VALUES (?, ?, ?)", zip(slots, sums, vectors, strict=True)
        )

    def begin_snapshot(self, token: str, before: str) -> None:
        """From now on these two belong to the rows of this file."""
        self._connection.execute("DELETE FROM listings WHERE token != ?", (before,))
        self._connection.execute("INSERT INTO listings VALUES (?)", (token,))

    def forget(self, sequence: int) -> None:
        """Which slots were deleted up to it: who has not read that yet begins anew."""
        self._connection.execute("DELETE FROM deletions WHERE sequence <= ?", (sequence,))
        self._connection.execute("UPDATE state SET forgotten = max(forgotten, ?)", (sequence,))

    def drop(self) -> None:
        """Whoever has the file open knows from then on that it is none."""
        self._connection.execute("UPDATE state SET dropped = 1")


def make(path: Path, dimensions: int, metric: Metric) -> None:
    """The file of a new collection. Nothing happens where it is there."""
    try:
        connection = _connect(path, new=True)
        try:
            connection.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(
                "INSERT OR IGNORE INTO state VALUES (1, ?, ?, ?, 0, 0, 0)",
                (_FORMAT, dimensions, metric),
            )
            fault("vectors.making")
            connection.execute("COMMIT")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise sqlite.plain(error, path, WHAT) from error


def _connect(path: Path, *, new: bool = False) -> sqlite3.Connection:
    place = f"{path.absolute().as_uri()}?mode={'rwc' if new else 'rw'}"
    # Used by one thread at a time: each has a lock.
    connection = sqlite3.connect(place, uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA page_size={_PAGE}")
        sqlite.set_up(connection)
    except BaseException:
        connection.close()
        raise
    return connection
