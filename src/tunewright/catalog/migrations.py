"""The steps that bring a catalog to the version of this code, each applied once, in order.

A new home goes through all of them, as an old one does through those that it lacks: both end with
the tables of `tables`. A step that was released is never changed, and uses nothing that
may change: names of tables and columns stand in it as they were.
"""

from collections.abc import Callable

from sqlalchemy import Connection, insert, inspect, select

from tunewright.catalog import first_schema, tables
from tunewright.errors import TunewrightError


def _first_tables(connection: Connection) -> None:
    for statement in first_schema.statements():
        connection.exec_driver_sql(statement)


def _index_what_is_searched_by(connection: Connection) -> None:
    for table, columns in {
        "files": ("purpose",),
        "jobs": ("status", "training_file", "validation_file"),
        "checkpoint_permissions": ("project_id",),
        "uploads": ("status",),
        "upload_parts": ("upload_id",),
        "weights": ("directory", "base_directory", "job"),
    }.items():
        for column in columns:
            index(connection, table, column)


def _removals_by_kind(connection: Connection) -> None:
    """In this order: a job's id is any other."""
    for kind, ids in (("remove-file", "file-%"), ("remove-weights", "gone-%"), ("remove-job", "%")):
        connection.exec_driver_sql(
            "UPDATE tasks SET kind = ? WHERE kind = 'remove' AND subject LIKE ?", (kind, ids)
        )


def _verifications(connection: Connection) -> None:
    records(connection, "verifications")


def _starts_and_removals(connection: Connection) -> None:
    """They were rows of `weights` until then. One that cannot be read stays where it is."""
    ended = "SELECT id FROM jobs WHERE status IN ('succeeded', 'failed', 'cancelled')"
    connection.exec_driver_sql(f"DELETE FROM weights WHERE id LIKE 'ftjob-%' AND id IN ({ended})")
    for table, rows, subject, body in (
        (
            "starts",
            "id LIKE 'ftjob-%'",
            "id",
            "json_remove(body, '$.job', '$.step', '$.deleted_name')",
        ),
        (
            "removals",
            "id LIKE 'gone-%' AND json_extract(body, '$.deleted_name') IS NOT NULL",
            "NULL",
            "json_object('id', id, 'name', json_extract(body, '$.deleted_name'), "
            "'directory', directory, 'base_directory', base_directory, "
            "'job', iif(json_extract(body, '$.step') IS NULL, job, NULL))",
        ),
    ):
        records(connection, table)
        for field in ("directory", "base_directory"):
            search_by(connection, table, field)
        theirs = f"organisation <> 'tunewright' AND NOT deleted AND json_valid(body) AND {rows}"
        connection.exec_driver_sql(
            f"INSERT INTO {table} (id, organisation, version, deleted, directory, base_directory, "
            f"subject, body) SELECT id, organisation, 1, 0, directory, base_directory, {subject}, "
            f"{body} FROM weights WHERE {theirs} ORDER BY sequence"
        )
        connection.exec_driver_sql(f"DELETE FROM weights WHERE {theirs}")


def _exports(connection: Connection) -> None:
    records(connection, "exports")
    records(connection, "export_events")


def _batches(connection: Connection) -> None:
    records(connection, "batches")
    for field in ("status", "input_file_id"):
        search_by(connection, "batches", field)


def _tables(connection: Connection) -> None:
    records(connection, "tables")
    records(connection, "table_events")


def _vector_stores(connection: Connection) -> None:
    for table in ("vector_stores", "vector_store_files", "vector_store_file_batches"):
        records(connection, table)
    for field in ("status", "file_id", "file_batch_id"):
        search_by(connection, "vector_store_files", field)


def _reembeddings(connection: Connection) -> None:
    records(connection, "reembeddings")


STEPS: list[Callable[[Connection], None]] = [
    _first_tables,
    _index_what_is_searched_by,
    _removals_by_kind,
    _verifications,
    _starts_and_removals,
    _exports,
    _batches,
    _tables,
    _vector_stores,
    _reembeddings,
]


def records(connection: Connection, table: str) -> None:
    """The table of a new noun that is not searched by any field."""
    connection.exec_driver_sql(
        f"""CREATE TABLE {table} (
            sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            id VARCHAR(256) NOT NULL,
            organisation VARCHAR(64) NOT NULL,
            version INTEGER NOT NULL,
            deleted BOOLEAN NOT NULL,
            subject VARCHAR(256),
            body TEXT NOT NULL,
            UNIQUE (id)
        )"""
    )
    connection.exec_driver_sql(
        f"CREATE INDEX {table}_by_organisation ON {table} (organisation, subject, sequence)"
    )


def index(connection: Connection, table: str, column: str) -> None:
    connection.exec_driver_sql(
        f"CREATE INDEX {table}_by_{column} ON {table} ({column}, organisation, sequence)"
    )


def search_by(connection: Connection, table: str, field: str) -> None:
    """A field of a table's records becomes a column to search by, with an index; records that are
    there already are found by it too."""
    connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {field} VARCHAR(128)")
    connection.exec_driver_sql(
        f"UPDATE {table} SET {field} = json_extract(body, '$.{field}') WHERE NOT deleted"
    )
    index(connection, table, field)


def is_current(connection: Connection) -> bool:
    return _done(connection) == len(STEPS)


def is_new(connection: Connection) -> bool:
    return _done(connection) == 0


def migrate(connection: Connection) -> None:
    """Apply what is missing. Refuses a catalog that a newer Tunewright wrote."""
    done = _done(connection)
    if done > len(STEPS):
        raise TunewrightError(
            f"This home was written by a newer Tunewright (its catalog has version {done}, this "
            f"one knows {len(STEPS)}). Install the newer version again, or use another --home."
        )
    for version, step in enumerate(STEPS[done:], start=done + 1):
        step(connection)
        connection.execute(insert(tables.schema).values(version=version))


def _done(connection: Connection) -> int:
    if not inspect(connection).has_table("schema"):
        return 0
    return len(connection.execute(select(tables.schema.c.version)).all())
