"""Tables of PostgreSQL with a column of vectors. LangChain's `PGVector` keeps all collections in
`langchain_pg_embedding`, and its `PGVectorStore` each in a table of its own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from psycopg import sql  # pyright: ignore[reportMissingImports]

from tunewright.errors import BadRequest, NotFound
from tunewright.vectors.copying.ends import Mark, rows_of_a_page
from tunewright.vectors.copying.values import Values, merge, with_text
from tunewright.vectors.databases.connected import Connected
from tunewright.vectors.databases.postgresql import PostgreSQL
from tunewright.vectors.filters import Value
from tunewright.vectors.index import Described, Metric, Rows

_COLLECTIONS, _EMBEDDINGS = "langchain_pg_collection", "langchain_pg_embedding"
_VECTORS = ("vector", "halfvec")
_TEXTS = ("content", "document", "page_content", "text")
_METADATA = ("langchain_metadata", "cmetadata", "metadata")


def names(index: Connected) -> list[str]:
    tables = _asked(
        index,
        "SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "JOIN pg_type t ON t.oid = a.atttypid WHERE c.relkind IN ('r', 'p') "
        "AND t.typname = ANY(%s) AND pg_table_is_visible(c.oid) AND c.relname <> %s "
        "AND NOT starts_with(c.relname, 'tunewright_vectors_')",
        [[*_VECTORS], _EMBEDDINGS],
    )
    return [*_collections(index), *(name for (name,) in tables)]


def source(
    index: Connected, collection: str, metric: Metric | None, text: str
) -> "TableSource | None":
    label = f"{index.place}#{collection}"
    if of := _collections(index).get(collection):
        table = _table(index, label, _EMBEDDINGS)
        assert table is not None
        return TableSource(index, label, collection, table, metric, text, of)
    table = _table(index, label, collection)
    return table and TableSource(index, label, collection, table, metric, text)


def _asked(index: Connected, statement: Any, values: Sequence[Any] = ()) -> list[Any]:
    database = cast("PostgreSQL", index.database)

    def rows(connection: Any) -> list[Any]:
        return connection.execute(statement, values, binary=True).fetchall()

    return index.call(lambda: database.do(rows))


def _collections(index: Connected) -> dict[str, str]:
    """Of `PGVector`: the uuid of each, by name."""
    there = "SELECT to_regclass(%s) IS NOT NULL AND to_regclass(%s) IS NOT NULL"
    if not _asked(index, there, [_COLLECTIONS, _EMBEDDINGS])[0][0]:
        return {}
    found = _asked(index, f"SELECT name, uuid::text FROM {_COLLECTIONS}")
    return {str(name): str(uuid) for name, uuid in found}


@dataclass(frozen=True)
class _Table:
    """`key`: its primary key, of type `kind`. `columns`: all others but the vector."""

    name: Any  # sql.Identifier
    key: str
    kind: str
    vector: str
    columns: tuple[str, ...]


def _table(index: Connected, label: str, name: str) -> _Table | None:
    """Called so, or SCHEMA.NAME. Raises BadRequest for one that cannot be read in pages."""
    parts = name.split(".") if "." in name else [name]
    named = sql.Identifier(*parts)
    quoted = named.as_string(None)
    found = _asked(
        index,
        "SELECT a.attname, format_type(a.atttypid, NULL), t.typname, "
        "coalesce(i.indisprimary AND i.indnkeyatts = 1, false) FROM pg_attribute a "
        "JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_index i ON i.indrelid = a.attrelid "
        "AND i.indisprimary AND a.attnum = ANY(i.indkey) "
        "WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped "
        "ORDER BY a.attnum",
        [quoted],
    )
    vectors = [str(column) for column, _, kind, _ in found if kind in _VECTORS]
    keys = [(str(column), str(kind)) for column, kind, _, primary in found if primary]
    if not found or not vectors:
        return None
    if len(vectors) > 1 or len(keys) != 1:
        raise BadRequest(
            f"{label} is a table with {len(vectors)} columns of vectors and {len(keys)} columns as "
            "its primary key: one of each is needed. Make a table or a view with these."
        )
    others = [str(one[0]) for one in found if str(one[0]) not in (vectors[0], keys[0][0])]
    return _Table(named, *keys[0], vectors[0], tuple(others))


class TableSource:
    """Its contract: `Source`. In the order of the primary key, whose last value is the mark."""

    repeats = False
    version = ""

    def __init__(
        self,
        index: Connected,
        label: str,
        collection: str,
        table: _Table,
        metric: Metric | None,
        text: str,
        of: str | None = None,
    ) -> None:
        """of: the uuid of a collection, in the one table of all."""
        self.label, self.collection = label, collection
        self._index, self._table, self._of = index, table, of
        self._metric: Metric = metric or "cosine"  # LangChain's default: tables do not tell
        self._text, self._values = text, Values()

    def describe(self) -> Described:
        rows = self._rows(None, 1)
        if not rows:
            raise NotFound(f"{self.label} has no rows with a vector: there is nothing to copy.")
        return Described(len(rows[0][1]), self._metric)

    def rows(self) -> int:
        where = self._where(None)
        asked = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(self._table.name, where)
        return int(_asked(self._index, asked, [self._of] if self._of else [])[0][0])

    def pages(self, after: Mark | None) -> Iterator[tuple[Mark, Rows]]:
        size = min(1000, rows_of_a_page(self.describe().dimensions))
        while rows := self._rows(after, size):
            after = rows[-1][0]
            attributes = [self._attributes(said) for _, _, said in rows]
            vectors = np.array([vector for _, vector, _ in rows], np.float32)
            yield after, Rows([str(key) for key, _, _ in rows], vectors, attributes)

    def _rows(self, after: Mark | None, limit: int) -> list[Any]:
        """(key as text, vector, the other columns)"""
        table = self._table
        asked = sql.SQL(
            "SELECT {key}::text, {vector}::vector, {said} FROM {name} "
            "WHERE {where} ORDER BY {key} LIMIT %s"
        ).format(
            key=sql.Identifier(table.key),
            vector=sql.Identifier(table.vector),
            said=self._said(),
            name=table.name,
            where=self._where(after),
        )
        values = [*([self._of] if self._of else []), *([] if after is None else [after]), limit]
        return _asked(self._index, asked, values)

    def _said(self) -> Any:
        """The other columns as one object in JSON; a function takes 100 values at most."""
        own = ("collection_id", "uuid", "custom_id") if self._of else ()
        pairs = [
            sql.SQL("{}, {}").format(sql.Literal(one), sql.Identifier(one))
            for one in self._table.columns
            if one not in own
        ]
        some = [pairs[start : start + 50] for start in range(0, len(pairs), 50)] or [[]]
        made = [sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(each)) for each in some]
        return sql.SQL(" || ").join(made)

    def _where(self, after: Mark | None) -> Any:
        """Rows with a vector."""
        table = self._table
        parts = [sql.SQL("{} IS NOT NULL").format(sql.Identifier(table.vector))]
        if self._of:
            parts.append(sql.SQL("collection_id = %s::uuid"))
        if after is not None:
            parts.append(
                sql.SQL("{} > CAST(%s AS {})").format(
                    sql.Identifier(table.key),
                    sql.SQL(table.kind),  # PostgreSQL's own name of a type
                )
            )
        return sql.SQL(" AND ").join(parts)

    def _attributes(self, said: Mapping[str, Any]) -> dict[str, Value]:
        others = dict(said)
        text = next((others.pop(one) for one in _TEXTS if isinstance(said.get(one), str)), None)
        found: dict[str, Value] = {}
        for name in _METADATA:
            if isinstance(others.get(name), Mapping):
                merge(found, self._values.of(others.pop(name)))
        merge(found, self._values.of(others))
        return with_text(found, text, self._text)

    def notes(self) -> list[str]:
        return self._values.notes
