"""PostgreSQL with pgvector: ``postgresql://USER@HOST:PORT/DATABASE``, by psycopg. PGPASSWORD has
its password, or libpq finds one.

A collection is a table: the id in the order of code points, the vector (where the metric is cosine,
made one of length 1, with the one that was given beside it), the attributes as jsonb. Its HNSW
index is searched until enough rows match (pgvector 0.8); where that gives up too early, all rows
that match are compared in the database. `tunewright_collections` lists the tables.

Keys and values of a filter are parameters of the statement, never a part of its text. A text of
PostgreSQL has no NUL: `jsonb.text_of` writes one as two characters.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from importlib import import_module
from typing import Any, TypeVar, cast
from weakref import WeakSet

import numpy as np

from tunewright.errors import NotFound, StorageFull, TunewrightError, Unavailable
from tunewright.vectors.databases.connected import Connected
from tunewright.vectors.databases.database import Collection, Database, Found, Limits, Page
from tunewright.vectors.databases.jsonb import compiled, packed, plain_of, text_of, unpacked
from tunewright.vectors.databases.place import Place, place_of
from tunewright.vectors.databases.units import given, units
from tunewright.vectors.filters import Comparison, Filter
from tunewright.vectors.index import Floats, Metric

T = TypeVar("T")
_AWAY = {"cosine": "<#>", "dot": "<#>", "euclidean": "<->"}  # the first two: minus the product
_OPERATORS = {"<#>": "vector_ip_ops", "<->": "vector_l2_ops"}
_INDEXED = 2000  # dimensions that an index of pgvector takes
_OPTIONS = (
    "-c statement_timeout=30000 -c client_encoding=UTF8 "
    "-c hnsw.iterative_scan=strict_order -c hnsw.ef_search=100"  # then it looks for more
)
_PAGE = 1000
_TOGETHER = 200  # rows of one statement: psycopg keeps what it makes of one of up to 4,096 letters
_TRIES = 5
_LONGEST = 44  # letters of a collection's name that fit into a table's
_HEAD = 4  # bytes of a vector before its numbers: dimensions, and two more
_COLUMNS = "id, vector, given, attributes"
_REPLACED = (
    "ON CONFLICT (id) DO UPDATE SET vector = excluded.vector, given = excluded.given, "
    "attributes = excluded.attributes"
)


def open_index(url: str) -> Connected:
    place = place_of(url)
    return Connected(place, PostgreSQL(place))


class PostgreSQL(Database):
    # An upsert is one transaction, however large. pgvector: vectors of up to 16,000 dimensions.
    limits = Limits(
        rows=100_000, size=2**33, ids=10_000, queries=50, dimensions=16_000, short_is_all=True
    )

    def __init__(self, place: Place) -> None:
        self._place = place
        self._psycopg = cast("Any", import_module("psycopg"))
        self._sql = cast("Any", import_module("psycopg.sql"))
        self._idle: list[Any] = []
        self._lock = threading.Lock()
        self._knowing: WeakSet[Any] = WeakSet()  # connections that know pgvector's type

    def collection(self, name: str) -> Collection | None:
        found = self.do(lambda connection: self._listed(connection, name), alone=True)
        return found and Collection(name, found[0], cast("Metric", found[1]), self._table(name))

    def _listed(self, connection: Any, name: str) -> tuple[int, str] | None:
        asked = "SELECT dimensions, metric FROM tunewright_collections WHERE name = %s"
        try:
            return connection.execute(asked, [name]).fetchone()
        except self._psycopg.errors.UndefinedTable:
            return None

    def names(self) -> Iterator[str]:
        def listed(connection: Any) -> list[str]:
            there = "SELECT to_regclass('tunewright_collections')"
            if not connection.execute(there).fetchone()[0]:
                return []
            rows = connection.execute("SELECT name FROM tunewright_collections").fetchall()
            return [name for (name,) in rows]

        yield from self.do(listed)

    def create(self, name: str, dimensions: int, metric: Metric) -> None:
        self.do(lambda connection: self._create(connection, name, dimensions, metric))

    def _create(self, connection: Any, name: str, dimensions: int, metric: Metric) -> None:
        """One after the other: two that make the same table would disturb each other."""
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('tunewright_collections'))")
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS tunewright_collections "
            "(name text PRIMARY KEY, dimensions integer NOT NULL, metric text NOT NULL)"
        )
        if self._listed(connection, name):
            return
        table, operators = self._table(name), _OPERATORS[_AWAY[metric]]
        connection.execute(
            f'CREATE TABLE {table} (id text COLLATE "C" PRIMARY KEY, '
            f"vector vector({dimensions:d}) NOT NULL, given text, attributes jsonb NOT NULL)"
        )
        if dimensions <= _INDEXED:
            connection.execute(f"CREATE INDEX ON {table} USING hnsw (vector {operators})")
        connection.execute(f"CREATE INDEX ON {table} USING gin (attributes jsonb_path_ops)")
        connection.execute(
            "INSERT INTO tunewright_collections VALUES (%s, %s, %s)", [name, dimensions, metric]
        )

    def drop(self, collection: Collection) -> None:
        def dropped(connection: Any) -> None:
            connection.execute(f"DROP TABLE IF EXISTS {collection.own}")
            gone = "DELETE FROM tunewright_collections WHERE name = %s"
            connection.execute(gone, [collection.name])

        self.do(dropped)

    def put(
        self,
        collection: Collection,
        ids: Sequence[str],
        vectors: Floats,
        attributes: Sequence[Mapping[str, Any]],
    ) -> None:
        kept, originals = units(vectors, collection.metric)
        binary = _binary(kept)
        rows = [
            (text_of(ids[at]), binary[at], originals[at], packed(attributes[at]))
            # In order of ids, so that two that write the same rows wait, and never for each other.
            for at in sorted(range(len(ids)), key=ids.__getitem__)
        ]

        def put(connection: Any) -> None:
            for at in range(0, len(rows), _TOGETHER):
                some = rows[at : at + _TOGETHER]
                places = ", ".join(["(%s, %b, %s, %s)"] * len(some))
                said = f"INSERT INTO {collection.own} VALUES {places} {_REPLACED}"
                connection.execute(said, [value for row in some for value in row])

        self.do(put, alone=len(rows) <= _TOGETHER)

    def remove(self, collection: Collection, ids: Sequence[str]) -> None:
        gone = _deleted(collection, "id = ANY(%s)")
        self.do(lambda connection: connection.execute(gone, [list(map(text_of, ids))]))

    def remove_where(self, collection: Collection, where: Filter) -> bool:
        matching, values = compiled(where)
        gone = _deleted(collection, matching)
        self.do(lambda connection: connection.execute(gone, values))
        return True

    def fetch(self, collection: Collection, ids: Sequence[str]) -> Page:
        return self._page(collection, "id = ANY(%s)", [list(map(text_of, ids))])

    def read(self, collection: Collection, after: str | None, limit: int) -> Page:
        beyond = ("true", []) if after is None else ("id > %s", [text_of(after)])
        return self._page(collection, beyond[0], [*beyond[1], limit], " ORDER BY id LIMIT %s")

    def pages(
        self, collection: Collection, where: Filter, *, vectors: bool, attributes: bool
    ) -> Iterator[Page]:
        matching, values = compiled(where)
        after = ""
        while True:
            asked = [*values, after, _PAGE]
            page = self._page(
                collection, f"({matching}) AND id > %s", asked, " ORDER BY id LIMIT %s"
            )
            yield page
            if len(page.ids) < _PAGE:
                return
            after = text_of(page.ids[-1])

    def _page(
        self, collection: Collection, matching: str, values: Sequence[Any], end: str = ""
    ) -> Page:
        asked = f"SELECT {_COLUMNS} FROM {collection.own} WHERE {matching}{end}"
        rows = self.do(lambda connection: connection.execute(asked, values, binary=True).fetchall())
        kept = np.array([row[1] for row in rows], np.float32).reshape(-1, collection.dimensions)
        return Page(
            [plain_of(row[0]) for row in rows],
            given(kept, [row[2] for row in rows]),
            [unpacked(row[3]) for row in rows],
        )

    def search(
        self, collection: Collection, queries: Floats, n: int, where: Filter, attributes: bool
    ) -> list[Found]:
        matching, values = compiled(where)
        way, more = _AWAY[collection.metric], ", attributes" * attributes
        vectors = _binary(units(queries, collection.metric)[0])

        def rows(some: Sequence[int]) -> Callable[[Any], list[list[Any]]]:
            """Of these queries, in one statement."""
            asked = (
                f"SELECT n, r.* FROM (VALUES {', '.join(f'({at}, %b)' for at in range(len(some)))})"
                f" AS q(n, v), LATERAL (SELECT id, vector {way} v AS away{more} "
                f"FROM {collection.own} WHERE {matching} ORDER BY away LIMIT %s) AS r"
            )
            told = [*(vectors[at] for at in some), *values, n]

            def done(connection: Any) -> list[list[Any]]:
                found: list[list[Any]] = [[] for _ in some]
                # A prepared statement would keep its plan, also when the graph must not be used.
                for at, *row in connection.execute(asked, told, prepare=False):
                    found[at].append(row)
                return found

            return done

        found = self.do(rows(range(len(vectors))), alone=True)
        if short := [at for at, each in enumerate(found) if len(each) < n]:
            exact = self.do(_without_graph(rows(short)))
            for at, each in zip(short, exact, strict=True):
                found[at] = each
        return [_found(each, collection.metric, attributes) for each in found]

    def count(self, collection: Collection, where: Filter) -> int:
        matching, values = compiled(where)
        asked = f"SELECT count(*) FROM {collection.own} WHERE {matching}"
        return self.do(
            lambda connection: connection.execute(asked, values).fetchone()[0], alone=True
        )

    def expresses(self, comparison: Comparison) -> bool:
        return True

    def error_of(self, error: Exception) -> TunewrightError | None:
        state = getattr(error, "sqlstate", None)
        if state == "42P01":
            return NotFound("The collection is not there any more.")
        if state in ("53100", "53200"):
            return StorageFull(f"{self._place} has no room: {error}. Nothing was written.")
        if state in ("0A000", "58P01", "42704") and "vector" in str(error):
            return Unavailable(
                f"{self._place} has no pgvector. Install it where PostgreSQL runs "
                "(https://github.com/pgvector/pgvector)."
            )
        return None

    def close(self) -> None:
        self._forget()

    def _forget(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def do(self, work: Callable[[Any], T], *, alone: bool = False) -> T:
        """`work` in a transaction of its own; alone: it is statements that need none. It is done
        again where others were in its way, and where a connection that was kept has ended
        meanwhile: all that is done may be done twice."""
        for tried in range(_TRIES):
            with self._lock:
                kept = bool(self._idle)
                connection = self._idle.pop() if kept else None
            connection = connection or self._connected()
            try:
                if connection not in self._knowing:
                    self._know_vectors(connection)
                with nullcontext() if alone else connection.transaction():
                    result = work(connection)
            except self._psycopg.Error as error:
                again = (kept and connection.broken) or error.sqlstate in ("40P01", "40001")
                self._put_back(connection)
                if not again or tried == _TRIES - 1:
                    raise
            except BaseException:
                connection.close()
                raise
            else:
                self._put_back(connection)
                return result
        raise AssertionError

    def _put_back(self, connection: Any) -> None:
        if connection.broken:
            connection.close()
            return
        with self._lock:
            self._idle.append(connection)

    def _connected(self) -> Any:
        place = self._place
        secret = place.secret("PGPASSWORD")
        return self._psycopg.connect(
            place.url,
            autocommit=True,
            **({"password": secret} if secret else {}),
            connect_timeout=10,
            application_name="tunewright",
            options=_OPTIONS,
        )

    def _know_vectors(self, connection: Any) -> None:
        """Sent and received as float32, not as their digits; from when there is pgvector on."""
        types = import_module("psycopg.types")
        if info := types.TypeInfo.fetch(connection, "vector"):
            dumper, loader = self._adapters
            own = type(dumper.__name__, (dumper,), {"oid": info.oid})
            connection.adapters.register_dumper(_Vector, own)
            connection.adapters.register_loader(info.oid, loader)
            self._knowing.add(connection)

    @cached_property
    def _adapters(self) -> tuple[Any, Any]:
        adapt = cast("Any", import_module("psycopg.adapt"))
        binary = self._psycopg.pq.Format.BINARY

        class Dumper(adapt.Dumper):
            format = binary

            def dump(self, obj: _Vector) -> bytes:
                return bytes(obj)

        class Loader(adapt.Loader):
            format = binary

            def load(self, data: Any) -> Floats:
                return np.frombuffer(data, ">f4", offset=_HEAD).astype(np.float32)

        return Dumper, Loader

    def _table(self, name: str) -> str:
        """Of at most 63 letters, quoted."""
        short = name if len(name) <= _LONGEST else hashlib.sha256(name.encode()).hexdigest()[:40]
        return self._sql.Identifier(f"tunewright_vectors_{short}").as_string(None)


class _Vector(bytes):
    """As pgvector sends it."""


def _binary(vectors: Floats) -> list[_Vector]:
    """Of [n, d], each: the number of dimensions, two bytes, float32; the high byte first."""
    head = vectors.shape[1].to_bytes(2, "big") + b"\0\0"
    return [_Vector(head + row.tobytes()) for row in vectors.astype(">f4")]


def _deleted(collection: Collection, matching: str) -> str:
    """Rows are locked in the order of their ids."""
    chosen = f"SELECT id FROM {collection.own} WHERE {matching} ORDER BY id FOR UPDATE"
    return f"DELETE FROM {collection.own} WHERE id IN ({chosen})"


def _without_graph(work: Callable[[Any], T]) -> Callable[[Any], T]:
    """In a transaction: every row that matches is compared."""

    def done(connection: Any) -> T:
        connection.execute("SET LOCAL enable_indexscan = off")
        return work(connection)

    return done


def _found(rows: Sequence[Any], metric: Metric, attributes: bool) -> Found:
    away = np.array([row[1] for row in rows], np.float64)
    return Found(
        [plain_of(row[0]) for row in rows],
        away + 1 if metric == "cosine" else away,
        [unpacked(row[2]) for row in rows] if attributes else None,
    )
