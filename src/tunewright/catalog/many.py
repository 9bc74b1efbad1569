"""Many records at once, a statement for some hundreds of them: with two for each, 2,000 files of
one call kept the one write lock for three seconds."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import bindparam, delete, insert, select, update

from tunewright.catalog import tables
from tunewright.catalog.bodies import carried, columns
from tunewright.catalog.catalog import Shelf
from tunewright.records.record import Record

R = TypeVar("R", bound=Record)

SOME = 500  # ids of one statement


def found(shelf: Shelf, kind: type[R], ids: Sequence[str]) -> dict[str, R]:
    """Those that are there, by what the catalog keeps them under. Raises Corrupt for one that
    cannot be read."""
    return {row.id: shelf.decoded(kind, row.id, row.body) for row in _rows(shelf, kind, ids)}


def replace(shelf: Shelf, records: Sequence[Record], *, subject: str) -> None:
    """Put records of one kind; those that had their ids, deleted or not, are gone, with the replies
    that tell of them."""
    if not records:
        return
    table, replies = tables.of(type(records[0])), tables.replies
    ids = [record.kept_as for record in records]
    with shelf.catalog.transaction() as connection:
        for some in _some(ids):
            theirs = (replies.c.organisation == shelf.organisation, replies.c.subject.in_(some))
            connection.execute(delete(replies).where(*theirs))
            old = (table.c.organisation == shelf.organisation, table.c.id.in_(some))
            connection.execute(delete(table).where(*old))
        rows = [
            {
                **columns(record),
                "id": id,
                "organisation": shelf.organisation,
                "subject": subject,
            }
            for id, record in zip(ids, records, strict=True)
        ]
        connection.execute(insert(table), rows)


def change(
    shelf: Shelf, kind: type[R], ids: Sequence[str], edit: Callable[[R], R]
) -> list[tuple[R, R]]:
    """Replace those that are there by `edit(record)`; what each was and is."""
    table = tables.of(kind)
    pairs: list[tuple[R, R]] = []
    values: list[dict[str, Any]] = []
    with shelf.catalog.transaction() as connection:
        for row in _rows(shelf, kind, ids):
            before = shelf.decoded(kind, row.id, row.body)
            after = edit(before)
            pairs.append((before, after))
            body = carried(row.body, before, after)
            values.append({**columns(after), "body": body, "row": row.id})
        if values:
            names = {name: bindparam(name) for name in values[0] if name != "row"}
            at = update(table).where(table.c.id == bindparam("row"))
            connection.execute(at.values(version=table.c.version + 1, **names), values)
    return pairs


def _rows(shelf: Shelf, kind: type[Record], ids: Sequence[str]) -> Iterator[Any]:
    table = tables.of(kind)
    query = select(table.c.id, table.c.body).where(
        table.c.organisation == shelf.organisation, table.c.deleted.is_(False)
    )
    with shelf.catalog.reading() as connection:
        for some in _some(ids):
            yield from connection.execute(query.where(table.c.id.in_(some))).all()


def _some(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + SOME] for at in range(0, len(ids), SOME))
