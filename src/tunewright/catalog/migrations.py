"""The steps that bring a catalog to the version of this code, each applied once, in order."""

from collections.abc import Callable

from sqlalchemy import Connection, insert, inspect, select

from tunewright.catalog import tables
from tunewright.errors import TunewrightError


def _first_tables(connection: Connection) -> None:
    tables.metadata.create_all(connection)


STEPS: list[Callable[[Connection], None]] = [_first_tables]


def migrate(connection: Connection) -> None:
    """Apply what is missing. Refuses a catalog that a newer Tunewright wrote."""
    done = 0
    if inspect(connection).has_table("schema"):
        done = len(connection.execute(select(tables.schema.c.version)).all())
    if done > len(STEPS):
        raise TunewrightError(
            f"This home was written by a newer Tunewright (its catalog has version {done}, this "
            f"one knows {len(STEPS)}). Install the newer version again, or use another --home."
        )
    for version, step in enumerate(STEPS[done:], start=done + 1):
        step(connection)
        connection.execute(insert(tables.schema).values(version=version))
