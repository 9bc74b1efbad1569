"""Answers kept for a while, so that a request that is repeated has one effect.

Put a reply in the transaction of what it tells of: after a crash there are both or neither.
"""

import time
from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from tunewright.catalog.catalog import Catalog
from tunewright.catalog.tables import replies


@dataclass(frozen=True)
class Reply:
    """`request`: the sha256 of what was asked. `subject`: the id of the record told of; the reply
    goes when that record is deleted."""

    request: str
    status: int
    body: str
    subject: str | None = None


class Replies:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def get(self, organisation: str, id: str, seconds: float) -> Reply | None:
        """What was kept under `id` for `seconds`. One that would last longer from now on is from a
        clock that was ahead of this one: nobody knows how old it is."""
        now = time.time()
        query = select(replies).where(
            replies.c.organisation == organisation,
            replies.c.id == id,
            replies.c.until > now,
            replies.c.until <= now + seconds,
        )
        with self._catalog.reading() as connection:
            row = connection.execute(query).one_or_none()
        return Reply(row.request, row.status, row.body, row.subject) if row else None

    def put(self, organisation: str, id: str, reply: Reply, seconds: float) -> None:
        """Keep `reply` for `seconds`, in place of an earlier one; drop what has had its time."""
        now = time.time()
        with self._catalog.transaction() as connection:
            connection.execute(
                delete(replies).where((replies.c.until <= now) | (replies.c.id == id))
            )
            connection.execute(
                insert(replies).values(
                    id=id,
                    organisation=organisation,
                    request=reply.request,
                    subject=reply.subject,
                    status=reply.status,
                    body=reply.body,
                    until=now + seconds,
                )
            )
