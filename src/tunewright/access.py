"""Who is calling: organisations, keys, roles.

A key is shown once, when it is made; the catalog keeps its sha256 only. A key has 256 random
bits, so the plain hash needs no salt, and the look-up is by hash: equal time for any wrong key.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import insert, select, update

from tunewright.catalog import tables
from tunewright.catalog.catalog import Catalog
from tunewright.errors import Forbidden, NotFound, Unauthorized
from tunewright.records.record import new_id, now

Role = Literal["owner", "member"]


@dataclass(frozen=True)
class Caller:
    """On whose behalf something is done: an organisation's id, its name (part of the names of its
    models), and the role of the key."""

    organisation: str
    name: str
    role: Role = "owner"

    def require_owner(self) -> None:
        """Raises Forbidden for a member. Look first whether the caller's organisation has what
        is asked for: what belongs to others is not found, whatever the role."""
        if self.role != "owner":
            raise Forbidden(
                "You have insufficient permissions for this operation. It needs a key with the "
                f"role 'owner' of the organisation '{self.name}', and this one has the role "
                f"'{self.role}'. Ask an owner to do it.",
                code="insufficient_permissions",
            )


@dataclass(frozen=True)
class Key:
    id: str
    name: str
    role: Role
    hint: str
    created_at: int
    revoked_at: int | None


class Access:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def first_organisation(self, name: str) -> Caller:
        """The owner of the home's first organisation, which is made where there is none."""
        with self._catalog.transaction() as connection:
            row = connection.execute(
                select(tables.organisations).order_by(tables.organisations.c.created_at).limit(1)
            ).one_or_none()
            if row is not None:
                return Caller(row.id, row.name)
            organisation = new_id("org-")
            connection.execute(
                insert(tables.organisations).values(id=organisation, name=name, created_at=now())
            )
        return Caller(organisation, name)

    def first_key(self, caller: Caller) -> str | None:
        """A key for an organisation that never had one, else None."""
        with self._catalog.transaction():
            return None if self.keys(caller) else self.create_key(caller, "first key")

    def of_organisation(self, id: str) -> Caller:
        """The owner of an organisation: on whose behalf a worker does the organisation's tasks."""
        with self._catalog.reading() as connection:
            name = connection.execute(
                select(tables.organisations.c.name).where(tables.organisations.c.id == id)
            ).scalar_one()
        return Caller(id, name)

    def create_key(self, caller: Caller, name: str, role: Role = "owner") -> str:
        """A new key of the caller's organisation. This is the only time that it can be seen."""
        key = "sk-tw-" + secrets.token_urlsafe(32)
        with self._catalog.transaction() as connection:
            connection.execute(
                insert(tables.keys).values(
                    id=new_id("key-"),
                    organisation=caller.organisation,
                    name=name,
                    role=role,
                    sha256=_hash(key),
                    hint=masked(key),
                    created_at=now(),
                )
            )
        return key

    def keys(self, caller: Caller) -> list[Key]:
        with self._catalog.reading() as connection:
            rows = connection.execute(
                select(tables.keys)
                .where(tables.keys.c.organisation == caller.organisation)
                .order_by(tables.keys.c.created_at)
            ).all()
        return [
            Key(row.id, row.name, row.role, row.hint, row.created_at, row.revoked_at)
            for row in rows
        ]

    def revoke_key(self, caller: Caller, id: str) -> None:
        with self._catalog.transaction() as connection:
            done = connection.execute(
                update(tables.keys)
                .where(tables.keys.c.organisation == caller.organisation, tables.keys.c.id == id)
                .values(revoked_at=now())
            )
        if done.rowcount == 0:
            raise NotFound(f"No such key: {id}. `tunewright keys list` shows them.", param="id")

    def caller(self, key: str) -> Caller:
        """Whose key this is. Raises Unauthorized for a wrong or revoked one, showing it masked."""
        row = self._found(key)
        if row is None:
            raise Unauthorized(
                f"Incorrect API key provided: {masked(key)}. `tunewright keys create` on the "
                "server's machine makes a new one.",
                code="invalid_api_key",
            )
        return Caller(row.organisation, row.name, row.role)

    def _found(self, key: str) -> Any:
        query = (
            select(tables.keys.c.organisation, tables.keys.c.role, tables.organisations.c.name)
            .join(tables.organisations)
            .where(tables.keys.c.sha256 == _hash(key), tables.keys.c.revoked_at.is_(None))
        )
        with self._catalog.reading() as connection:
            return connection.execute(query).one_or_none()


def masked(key: str) -> str:
    """Enough of a key to recognise it and no more: first and last characters of a long one."""
    return f"{key[:8]}***{key[-4:]}" if len(key) >= 24 else "***"


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
