"""A table a noun: id, organisation, sequence, version, the few columns searched by, and `body`.

`body` is the record's JSON, so a new field needs no migration; a new column, table or index does:
these, and those that record classes declare (`of`), are what the steps in `migrations` end with.
A deleted row keeps its id and sequence (its body is emptied), so that paging `after` a deleted id
still works.
"""

from functools import cache

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from tunewright.records.record import Record

metadata = MetaData()


@cache
def of(kind: type[Record]) -> Table:
    """The table of a record class, which says its name and what it is searched by."""
    name = kind.table
    if not name:
        raise TypeError(f"{kind.__name__} names no table: it is not kept in the catalog")
    return Table(
        name,
        MetaData(),  # its own: two threads may ask first, and what each makes is the same
        Column("sequence", Integer, primary_key=True, autoincrement=True),
        Column("id", String(256), nullable=False, unique=True),
        Column("organisation", String(64), nullable=False),
        Column("version", Integer, nullable=False, default=1),
        Column("deleted", Boolean, nullable=False, default=False),
        *(Column(field, String(128)) for field in kind.searched),
        Column("subject", String(256)),
        Column("body", Text, nullable=False),
        Index(f"{name}_by_organisation", "organisation", "subject", "sequence"),
        *(
            Index(f"{name}_by_{field}", field, "organisation", "sequence")
            for field in kind.searched
        ),
        sqlite_autoincrement=True,
    )


organisations = Table(
    "organisations",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("created_at", Integer, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("organisation", String(64), ForeignKey("organisations.id"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("role", String(16), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("hint", String(32), nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("expires_at", Integer),
    Column("revoked_at", Integer),
    sqlite_autoincrement=True,
)

tasks = Table(
    "tasks",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("kind", String(32), nullable=False),
    Column("lane", String(16), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("organisation", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("fruitless", Integer, nullable=False, default=0),
    Column("reached", Integer, nullable=False, default=0),
    Column("worker", String(128)),
    Column("lease_until", Float),
    Column("turn", Integer),
    Column("held", Boolean, nullable=False, default=False),
    Index("tasks_by_lane", "lane", "state", "sequence"),
    Index("tasks_by_subject", "subject"),
    Index("tasks_by_turn", "lane", "organisation", "turn"),
    Index("tasks_in_turn", "turn"),
    sqlite_autoincrement=True,
)

# Answers that a repeated request gets again. In the transaction of what they answer for.
replies = Table(
    "replies",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("organisation", String(64), nullable=False),
    Column("request", String(64), nullable=False),
    Column("subject", String(128)),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("until", Float, nullable=False),
    Index("replies_by_subject", "organisation", "subject"),
    Index("replies_by_end", "until"),
)

schema = Table("schema", metadata, Column("version", Integer, primary_key=True))
