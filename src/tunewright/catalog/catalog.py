"""The records of one home: identity, ownership and status.

Every query names an organisation: `Catalog.shelf(organisation)` gives the verbs put, get, page,
change and delete, bound to it. Writes are read-modify-write guarded by `version`. Verbs used
inside `with catalog.transaction():` are one transaction; outside, each is its own.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError
from sqlalchemy import Connection, delete, exc, insert, select, update

from tunewright.catalog import tables
from tunewright.catalog.bodies import carried, columns, of_metadata
from tunewright.catalog.database import Queue, damaged, engine, plain
from tunewright.catalog.migrations import is_current, is_new, migrate
from tunewright.catalog.remembered import Remembered
from tunewright.durable import sqlite
from tunewright.errors import Corrupt, TunewrightError, Unavailable
from tunewright.records.pages import Page
from tunewright.records.record import Record

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)

SHARED = "tunewright"
"""The organisation of what everybody sees: bases and aliases. Nobody's key belongs to it."""


class Catalog:
    """Raises Corrupt, naming the file and what to do, where `path` holds no whole database.

    served: whether a server runs on the home. Its version is what the tables are for: they are not
    changed under an older one, whose worker would no longer find what it works with.
    """

    def __init__(self, path: Path, *, served: Callable[[], bool] = lambda: False) -> None:
        self._path = path
        # Apart, so that writers who wait for one another leave the readers their connections.
        # One writes at a time; a server has 40 threads that read.
        self._writers = engine(path, pool_size=2, max_overflow=8)
        self._readers = engine(path, pool_size=8, max_overflow=40).execution_options(reading=True)
        self._queue = Queue()
        self._local = threading.local()
        self.remembered = Remembered(path, apart=self._apart)
        self.unreadable: set[str] = set()  # ids that the log has told of
        if not self._is_current():
            self._refuse_under_an_older_server(served)
            with self.transaction() as connection:
                migrate(connection)

    def _is_current(self) -> bool:
        with self.reading() as connection:
            return is_current(connection)

    def _refuse_under_an_older_server(self, served: Callable[[], bool]) -> None:
        with self.reading() as connection:
            new = is_new(connection)
        # Asked in this order: a server of this version has brought the tables up to date before it
        # is seen to run.
        if not new and served() and not self._is_current():
            raise TunewrightError(
                f"A server of an older Tunewright runs on {self._path.parent}. Stop it first: this "
                "version then brings the home up to date by itself."
            )

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One atomic write. Re-entrant within a thread: the outermost block commits."""
        current: Connection | None = getattr(self._local, "connection", None)
        if current is not None:
            yield current
            return
        try:
            with self._queue, self._writers.begin() as connection:
                self._queue.moved()
                self._local.connection = connection
                try:
                    yield connection
                finally:
                    self._local.connection = None
        except exc.IntegrityError:  # the caller's: an id is put once
            raise
        except (exc.DatabaseError, exc.TimeoutError, sqlite3.DatabaseError) as error:
            raise plain(error, self._path) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view. Takes no write lock; inside a transaction it is that one. Re-entrant
        within a thread: what is read in one block is read at one moment, and begun once."""
        current: Connection | None = getattr(self._local, "connection", None)
        current = current or getattr(self._local, "view", None)
        if current is not None:
            yield current
            return
        try:
            with self._readers.begin() as connection:
                self._local.view = connection
                try:
                    yield connection
                finally:
                    self._local.view = None
        except (exc.DatabaseError, exc.TimeoutError, sqlite3.DatabaseError) as error:
            raise plain(error, self._path) from error

    def _apart(self) -> bool:
        views = (getattr(self._local, name, None) for name in ("connection", "view"))
        return any(view is not None for view in views)

    def check(self) -> None:
        """Read the whole file. Raises Corrupt where it is damaged; nothing repairs it."""
        with self.reading() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if found != "ok":
            raise damaged(self._path, found)

    def organisations(self, kind: type[Record]) -> list[str]:
        """Those that have records of `kind`: where the server tidies up by itself."""
        table = tables.of(kind)
        query = select(table.c.organisation).where(table.c.deleted.is_(False)).distinct()
        with self.reading() as connection:
            return list(connection.execute(query).scalars())

    def ids(self, kind: type[Record], **where: str) -> set[str]:
        """Of all records of `kind`, whoever has them: to find bytes that nobody needs. `where`:
        values of searched columns."""
        table = tables.of(kind)
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
        table = tables.of(kind)
        query = select(table.c.sequence).where(table.c[column] == value, table.c.id != but)
        with self.reading() as connection:
            return connection.execute(query.limit(1)).one_or_none() is not None

    def scrub(self, *, seconds: float = 0.0) -> bool:
        """Wipe deleted records from the write-ahead log too; whether nothing was in the way. Call
        it outside of transactions.

        secure_delete has overwritten them in the database; the log still holds the pages as they
        were. SQLite holds the write lock while it waits for readers: `seconds` is how long at most
        nobody else can write.
        """
        try:
            with self._readers.connect() as connection:
                return sqlite.scrub(connection.connection.cursor(), seconds)
        except (exc.DatabaseError, exc.TimeoutError, sqlite3.DatabaseError) as error:
            log.warning("the catalog's log stays for now: %s", error)
            return False

    def close(self) -> None:
        self.remembered.close()
        self._writers.dispose()
        self._readers.dispose()


class Shelf:
    """The records of one organisation. What belongs to another one is not there."""

    def __init__(self, catalog: Catalog, organisation: str) -> None:
        self.catalog = catalog
        self.organisation = organisation

    def put(self, record: Record, *, subject: str | None = None) -> bool:
        """Add `record`, under `subject` (a job's id for its events). False if its id is there, or
        was (`many.replace` puts it nevertheless)."""
        row = {
            **columns(record),
            "id": record.kept_as,
            "organisation": self.organisation,
            "subject": subject,
        }
        table = tables.of(type(record))
        try:
            with self.catalog.transaction() as connection, connection.begin_nested():
                connection.execute(insert(table).values(row))
        except exc.IntegrityError:
            return False
        return True

    def get(self, kind: type[R], id: str) -> R | None:
        with self.catalog.reading() as connection:
            found = self._row(connection, kind, id)
        return self.decoded(kind, id, found.body) if found else None

    def page(
        self,
        kind: type[R],
        *,
        after: str | None = None,
        before: str | None = None,
        limit: int = 20,
        newest_first: bool = True,
        subject: str | None = None,
        where: dict[str, str] | None = None,
        metadata: dict[str, str] | Literal["null"] | None = None,
    ) -> "Page[R]":
        """At most `limit` records in order of their making, beginning after the id `after`, or
        else the last ones that are before the id `before`.

        metadata: pairs that the field of that name holds, or "null" where it must hold none.
        """
        table = tables.of(kind)
        query = select(table.c.id, table.c.sequence, table.c.body).where(
            table.c.organisation == self.organisation, table.c.deleted.is_(False)
        )
        for column, value in {**(where or {}), **({"subject": subject} if subject else {})}.items():
            query = query.where(table.c[column] == value)
        for condition in of_metadata(table.c.body, metadata):
            query = query.where(condition)
        with self.catalog.reading() as connection:
            for edge, downwards in ((after, newest_first), (before, not newest_first)):
                if edge is None:
                    continue
                place = self._sequence(connection, kind, edge)
                if place is None:
                    return Page[kind](data=[])
                here = table.c.sequence
                query = query.where(here < place if downwards else here > place)
            backwards = before is not None and after is None
            records = self._readable(connection, kind, query, newest_first ^ backwards, limit + 1)
            found = list(islice(records, limit + 1))
        data = found[:limit][::-1] if backwards else found[:limit]
        return Page[kind](
            data=data,
            first_id=_id(data[0]) if data else None,
            last_id=_id(data[-1]) if data else None,
            has_more=len(found) > limit,
        )

    def _readable(
        self, connection: Connection, kind: type[R], query: Any, newest_first: bool, size: int
    ) -> Iterator[R]:
        """The records of a query in order, but for those that nobody can read: one of them must
        not hide the others. size: how many to read at once."""
        here = tables.of(kind).c.sequence
        query = query.order_by(here.desc() if newest_first else here.asc())
        after: int | None = None
        while True:
            more = (
                query
                if after is None
                else query.where(here < after if newest_first else here > after)
            )
            rows = connection.execute(more.limit(size)).all()
            for row in rows:
                with suppress(Corrupt):
                    yield self.decoded(kind, row.id, row.body)
            if len(rows) < size:
                return
            after = rows[-1].sequence

    def all(self, kind: type[R], **search: Any) -> list[R]:
        """Every record of a kind, oldest first; `search` as for `page`."""
        return self.page(kind, limit=2**31, newest_first=False, **search).data

    def change(self, kind: type[R], id: str, edit: Callable[[R], R]) -> R | None:
        """Replace the record by `edit(record)` and return the new one; None if it is not there.

        `edit` sees the newest version and may raise to leave everything as it was.
        """
        table = tables.of(kind)
        with self.catalog.transaction() as connection:
            found = self._row(connection, kind, id)
            if found is None:
                return None
            before = self.decoded(kind, id, found.body)
            after = edit(before)
            if after == before:
                return after
            done = connection.execute(
                update(table)
                .where(table.c.id == id, table.c.version == found.version)
                .values(
                    **columns(after) | {"body": carried(found.body, before, after)},
                    version=found.version + 1,
                )
            )
            if done.rowcount != 1:
                raise Unavailable("The record changed at the same moment. Please try again.")
        return after

    def delete(self, kind: type[Record], id: str) -> bool:
        """Forget a record and the replies that tell of it. False if it was not there.

        Its id keeps its place in the order, unless the id is a name that a client chose.
        """
        table = tables.of(kind)
        with self.catalog.transaction() as connection:
            if self._row(connection, kind, id) is None:
                return False
            emptied = dict.fromkeys(kind.searched)
            forget = (
                delete(table)
                if kind.goes_wholly
                else update(table).values(deleted=True, body="", **emptied)
            )
            connection.execute(forget.where(table.c.id == id))
            self.forget_replies(id)
        return True

    def forget_replies(self, id: str) -> None:
        """The answers kept for repetitions that tell of a record as it was."""
        replies = tables.replies
        with self.catalog.transaction() as connection:
            connection.execute(
                delete(replies).where(
                    replies.c.organisation == self.organisation, replies.c.subject == id
                )
            )

    def clear(self, kind: type[Record], subject: str) -> None:
        """Forget every record under `subject`, such as the events of a job that goes itself, and
        the replies that tell of them."""
        table, replies = tables.of(kind), tables.replies
        theirs = (table.c.organisation == self.organisation, table.c.subject == subject)
        with self.catalog.transaction() as connection:
            connection.execute(
                delete(replies).where(
                    replies.c.organisation == self.organisation,
                    replies.c.subject.in_(select(table.c.id).where(*theirs)),
                )
            )
            connection.execute(delete(table).where(*theirs))

    def decoded(self, kind: type[R], id: str, body: str) -> R:
        """A field that this version does not know, for a newer one wrote it, is read over, and kept
        when the record changes (`change`). Raises Corrupt where the record is none of its kind,
        and logs that once."""
        try:
            return kind.model_validate_json(body, extra="ignore")
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the record"
            what = (
                f"The record of {id} cannot be read by this version of Tunewright ({where}: "
                f"{first['msg']}). It was left as it is."
            )
            if id not in self.catalog.unreadable:
                self.catalog.unreadable.add(id)
                log.error("%s", what)
            raise Corrupt(what, code="record_unreadable") from error

    def _row(self, connection: Connection, kind: type[Record], id: str) -> Any:
        table = tables.of(kind)
        return connection.execute(
            select(table.c.body, table.c.version).where(
                table.c.id == id,
                table.c.organisation == self.organisation,
                table.c.deleted.is_(False),
            )
        ).one_or_none()

    def _sequence(self, connection: Connection, kind: type[Record], id: str) -> int | None:
        """The place of `id`, deleted or not; None for an unknown one, after which nothing comes."""
        table = tables.of(kind)
        return connection.execute(
            select(table.c.sequence).where(
                table.c.id == id, table.c.organisation == self.organisation
            )
        ).scalar_one_or_none()


def _id(record: Record) -> str:
    return str(record.id)  # pyright: ignore[reportAttributeAccessIssue]
