"""The records of one home: identity, ownership and status.

Every query names an organisation: `Catalog.shelf(organisation)` gives the verbs put, get, page,
change and delete, bound to it. Writes are read-modify-write guarded by `version`. Verbs used
inside `with catalog.transaction():` are one transaction; outside, each is its own.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    create_engine,
    delete,
    event,
    exc,
    exists,
    func,
    insert,
    select,
    update,
)

from tunewright.catalog import tables
from tunewright.catalog.migrations import is_current, migrate
from tunewright.errors import Corrupt, StorageFull, TunewrightError, Unavailable
from tunewright.records.pages import Page
from tunewright.records.record import Record

R = TypeVar("R", bound=Record)

SHARED = "tunewright"
"""The organisation of what everybody sees: bases and aliases. Nobody's key belongs to it."""

BUSY_SECONDS = 10.0
"""So long does a writer wait for another one."""

_ERRORS = (exc.DatabaseError, exc.TimeoutError, sqlite3.DatabaseError)
# Connections, and how many more in need. One writes at a time; a server has 40 threads that read.
_WRITERS = (2, 8)
_READERS = (8, 40)

_NO_FILE_LEFT = (sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMMAP)


class Catalog:
    """Raises Corrupt, naming the file and what to do, where `path` holds no whole database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = _engine(path, _WRITERS)
        # Apart: writers that wait for another process would take every connection of one pool.
        self._readers = _engine(path, _READERS).execution_options(reading=True)
        self._local = threading.local()
        with self.reading() as connection:
            current = is_current(connection)
        if not current:
            with self.transaction() as connection:
                migrate(connection)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One atomic write. Re-entrant within a thread: the outermost block commits."""
        current: Connection | None = getattr(self._local, "connection", None)
        if current is not None:
            yield current
            return
        try:
            with self._engine.begin() as connection:
                self._local.connection = connection
                try:
                    yield connection
                finally:
                    self._local.connection = None
        except exc.IntegrityError:  # the caller's: an id is put once
            raise
        except _ERRORS as error:
            raise self._plain(error) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view. Takes no write lock; inside a transaction it is that one."""
        current: Connection | None = getattr(self._local, "connection", None)
        if current is not None:
            yield current
            return
        try:
            with self._readers.begin() as connection:
                yield connection
        except _ERRORS as error:
            raise self._plain(error) from error

    def check(self) -> None:
        """Read the whole file. Raises Corrupt where it is damaged; nothing repairs it."""
        with self.reading() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if found != "ok":
            raise _damaged(self._path, found)

    def _plain(self, error: Exception) -> TunewrightError:
        if isinstance(error, exc.TimeoutError):  # no connection of the pool has become free
            return Unavailable("The catalog is busy. Please try again in a moment.")
        error = getattr(error, "orig", None) or error  # SQLite's own; _on_connect's is not wrapped
        code = getattr(error, "sqlite_errorcode", 0)
        if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return _damaged(self._path, str(error))
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
            return StorageFull(
                "The disk that holds the catalog is full. Free some space and retry."
            )
        if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Unavailable("The catalog is busy. Please try again in a moment.")
        if code & 0xFF == sqlite3.SQLITE_CANTOPEN or code in _NO_FILE_LEFT:
            return Unavailable("The catalog cannot be opened now. Please try again in a moment.")
        return TunewrightError(f"The catalog cannot be used: {error}")

    def organisations(self, kind: type[Record]) -> list[str]:
        """Those that have records of `kind`: where the server tidies up by itself."""
        table = tables.NOUNS[kind].table
        query = select(table.c.organisation).where(table.c.deleted.is_(False)).distinct()
        with self.reading() as connection:
            return list(connection.execute(query).scalars())

    def ids(self, kind: type[Record], **where: str) -> set[str]:
        """Of all records of `kind`, whoever has them: to find bytes that nobody needs. `where`:
        values of searched columns."""
        table = tables.NOUNS[kind].table
        with self.reading() as connection:
            query = select(table.c.id).where(table.c.deleted.is_(False))
            for column, value in where.items():
                query = query.where(table.c[column] == value)
            return set(connection.execute(query).scalars())

    def shelf(self, organisation: str) -> "Shelf":
        return Shelf(self, organisation)

    def mentions(self, kind: type[Record], column: str, value: str, *, but: str) -> bool:
        """Whether a record of any organisation, `but` that one, has `value` in a searched column:
        for bytes that several may share. Tells nothing else about it."""
        table = tables.NOUNS[kind].table
        query = select(table.c.sequence).where(table.c[column] == value, table.c.id != but)
        with self.reading() as connection:
            return connection.execute(query.limit(1)).one_or_none() is not None

    def scrub(self) -> None:
        """Wipe deleted records from the write-ahead log too. Call it outside of transactions.

        secure_delete has overwritten them in the database; the log still holds the pages as they
        were. Where a reader stays in the way for longer than busy_timeout the log stays until the
        next scrub.
        """
        if getattr(self._local, "connection", None) is None:
            with closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        self._readers.dispose()
        self._engine.dispose()


class Shelf:
    """The records of one organisation. What belongs to another one is not there."""

    def __init__(self, catalog: Catalog, organisation: str) -> None:
        self.catalog = catalog
        self.organisation = organisation

    def put(self, record: Record, *, subject: str | None = None) -> bool:
        """Add `record`, under `subject` (a job's id for its events). False if its id is there."""
        noun = tables.NOUNS[type(record)]
        row = {
            **self._columns(noun, record),
            "id": _id(record),
            "organisation": self.organisation,
            "subject": subject,
        }
        try:
            with self.catalog.transaction() as connection, connection.begin_nested():
                connection.execute(insert(noun.table).values(row))
        except exc.IntegrityError:
            return False
        return True

    def get(self, kind: type[R], id: str) -> R | None:
        with self.catalog.reading() as connection:
            found = self._row(connection, kind, id)
        return kind.model_validate_json(found.body) if found else None

    def page(
        self,
        kind: type[R],
        *,
        after: str | None = None,
        limit: int = 20,
        newest_first: bool = True,
        subject: str | None = None,
        where: dict[str, str] | None = None,
        metadata: dict[str, str] | Literal["null"] | None = None,
    ) -> "Page[R]":
        """At most `limit` records in order of their making, beginning after the id `after`.

        metadata: pairs that the field of that name holds, or "null" where it must hold none.
        """
        table = tables.NOUNS[kind].table
        query = select(table.c.body).where(
            table.c.organisation == self.organisation, table.c.deleted.is_(False)
        )
        for column, value in {**(where or {}), **({"subject": subject} if subject else {})}.items():
            query = query.where(table.c[column] == value)
        for condition in _of_metadata(table.c.body, metadata):
            query = query.where(condition)
        with self.catalog.reading() as connection:
            if after is not None:
                start = self._sequence(connection, kind, after)
                if start is None:
                    return Page[kind](data=[])
                here = table.c.sequence
                query = query.where(here < start if newest_first else here > start)
            order = table.c.sequence.desc() if newest_first else table.c.sequence.asc()
            rows = connection.execute(query.order_by(order).limit(limit + 1)).all()
        data = [kind.model_validate_json(row.body) for row in rows[:limit]]
        return Page[kind](
            data=data,
            first_id=_id(data[0]) if data else None,
            last_id=_id(data[-1]) if data else None,
            has_more=len(rows) > limit,
        )

    def all(self, kind: type[R], **search: Any) -> list[R]:
        """Every record of a kind, oldest first; `search` as for `page`."""
        return self.page(kind, limit=2**31, newest_first=False, **search).data

    def change(self, kind: type[R], id: str, edit: Callable[[R], R]) -> R | None:
        """Replace the record by `edit(record)` and return the new one; None if it is not there.

        `edit` sees the newest version and may raise to leave everything as it was.
        """
        noun = tables.NOUNS[kind]
        with self.catalog.transaction() as connection:
            found = self._row(connection, kind, id)
            if found is None:
                return None
            before = kind.model_validate_json(found.body)
            after = edit(before)
            if after == before:
                return after
            done = connection.execute(
                update(noun.table)
                .where(noun.table.c.id == id, noun.table.c.version == found.version)
                .values(**self._columns(noun, after), version=found.version + 1)
            )
            if done.rowcount != 1:
                raise Unavailable("The record changed at the same moment. Please try again.")
        return after

    def delete(self, kind: type[Record], id: str) -> bool:
        """Forget a record and the replies that tell of it. False if it was not there.

        Its id keeps its place in the order, unless the id is a name that a client chose.
        """
        noun = tables.NOUNS[kind]
        with self.catalog.transaction() as connection:
            if self._row(connection, kind, id) is None:
                return False
            emptied = dict.fromkeys(noun.searched)
            forget = (
                delete(noun.table)
                if noun.named
                else update(noun.table).values(deleted=True, body="", **emptied)
            )
            connection.execute(forget.where(noun.table.c.id == id))
            connection.execute(
                delete(tables.replies).where(
                    tables.replies.c.organisation == self.organisation,
                    tables.replies.c.subject == id,
                )
            )
        return True

    def clear(self, kind: type[Record], subject: str) -> None:
        """Forget every record under `subject`, such as the events of a job that goes itself."""
        table = tables.NOUNS[kind].table
        with self.catalog.transaction() as connection:
            connection.execute(
                delete(table).where(
                    table.c.organisation == self.organisation, table.c.subject == subject
                )
            )

    def _row(self, connection: Connection, kind: type[Record], id: str) -> Any:
        table = tables.NOUNS[kind].table
        return connection.execute(
            select(table.c.body, table.c.version).where(
                table.c.id == id,
                table.c.organisation == self.organisation,
                table.c.deleted.is_(False),
            )
        ).one_or_none()

    def _sequence(self, connection: Connection, kind: type[Record], id: str) -> int | None:
        """The place of `id`, deleted or not; None for an unknown one, after which nothing comes."""
        table = tables.NOUNS[kind].table
        return connection.execute(
            select(table.c.sequence).where(
                table.c.id == id, table.c.organisation == self.organisation
            )
        ).scalar_one_or_none()

    @staticmethod
    def _columns(noun: tables.Noun, record: Record) -> dict[str, Any]:
        searched = {field: getattr(record, field) for field in noun.searched}
        return {**searched, "body": record.model_dump_json()}


def _of_metadata(
    body: Column[str], wanted: dict[str, str] | Literal["null"] | None
) -> Iterator[ColumnElement[bool]]:
    """Keys and values are bound, never part of a JSON path: they are the client's own text."""

    def pairs() -> Any:  # afresh for each: two conditions may be met by two pairs
        return (
            func.json_each(func.nullif(body, ""), "$.metadata").table_valued("key", "value").alias()
        )

    if wanted == "null":
        held = pairs()
        yield ~exists(select(held.c.key).where(held.c.key.is_not(None)))  # null has one row
        return
    for key, value in (wanted or {}).items():
        held = pairs()
        yield exists(select(held.c.key).where(held.c.key == key, held.c.value == value))


def _id(record: Record) -> str:
    return str(record.id)  # pyright: ignore[reportAttributeAccessIssue]


def _engine(path: Path, connections: tuple[int, int]) -> Engine:
    kept, more = connections
    engine = create_engine(
        f"sqlite:///{path}", pool_size=kept, max_overflow=more, pool_timeout=BUSY_SECONDS
    )
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


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


def _damaged(path: Path, found: str) -> Corrupt:
    reason = " ".join(found.split())  # SQLite tells it in lines
    return Corrupt(
        f"{path} is damaged ({reason}). Nothing was changed. Put a backup of it in its place, or "
        f"save what can be read with: sqlite3 {path} .recover | sqlite3 recovered.db",
        code="catalog_corrupt",
    )
