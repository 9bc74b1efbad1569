"""Who is calling: organisations, keys, roles.

A key is shown once, when it is made; the catalog keeps its sha256 only. A key has 256 random
bits, so the plain hash needs no salt and no slow hash: there is no list of likely keys to try.

The look-up is one search for the hash in a unique index. How long it takes may depend on how many
leading digits of the hash of a wrong key equal those of a stored hash, and that tells nobody
anything: who sends keys cannot steer their hashes, and the digits of a hash lead to no key. Nothing
is ever compared with a key itself. Each request looks its key up anew, on an open connection too,
so a revoked key is refused from the next request on: what was found is remembered for as long as
nothing in the catalog changes.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, insert, or_, select, update

from tunewright import names
from tunewright.catalog import tables
from tunewright.catalog.catalog import Catalog
from tunewright.errors import BadRequest, Forbidden, NotFound, Unauthorized
from tunewright.records.keys import CreatedKey, Key, KeyOwner, KeyRequest, Organisation, Role
from tunewright.records.pages import Page
from tunewright.records.record import new_id, now

_keys, _organisations = tables.keys.c, tables.organisations.c


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
class _Found:
    caller: Caller
    expires_at: int | None

    @property
    def lives(self) -> bool:
        return self.expires_at is None or self.expires_at > now()


class Access:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def first_organisation(self, name: str) -> Caller:
        """The owner of the home's first organisation, which is made where there is none."""
        if not (known := self.organisations()):
            with self._catalog.transaction():
                known = self.organisations() or [self._add(name)]
        return Caller(known[0].id, known[0].name)

    def organisations(self) -> list[Organisation]:
        """All of this home, oldest first."""
        query = select(tables.organisations).order_by(_organisations.sequence)
        with self._catalog.reading() as connection:
            return [_organisation(row) for row in connection.execute(query)]

    def create_organisation(self, name: str) -> Caller:
        """A new one, which sees nothing of the others. Raises BadRequest for a bad name."""
        names.organisation(name)
        with self._catalog.transaction():
            if any(known.name == name for known in self.organisations()):
                raise BadRequest(f"There is an organisation '{name}' already.", param="name")
            made = self._add(name)
        return Caller(made.id, made.name)

    def organisation(self, name: str) -> Caller:
        """An owner of the organisation called `name`. Raises NotFound."""
        for known in self.organisations():
            if known.name == name:
                return Caller(known.id, known.name)
        raise NotFound(
            f"There is no organisation '{name}'. `tunewright organisations list` shows them, "
            f"`tunewright organisations create {name}` makes it.",
            param="organisation",
        )

    def of_organisation(self, id: str) -> Caller:
        """The owner of an organisation: on whose behalf a worker does the organisation's tasks."""
        with self._catalog.reading() as connection:
            name = connection.execute(
                select(_organisations.name).where(_organisations.id == id)
            ).scalar_one()
        return Caller(id, name)

    def _add(self, name: str) -> Organisation:
        made = Organisation(id=new_id("org-"), name=name, created_at=now())
        values = made.model_dump(include={"id", "name", "created_at"})
        with self._catalog.transaction() as connection:
            connection.execute(insert(tables.organisations).values(values))
        return made

    def first_key(self, caller: Caller) -> str | None:
        """A key for an organisation that never had one, else None."""
        with self._catalog.transaction():
            if self.keys(caller):
                return None
            return self.create_key(caller, KeyRequest(name="first key")).value

    def create_key(self, caller: Caller, request: KeyRequest) -> CreatedKey:
        """A new key of the caller's organisation. This is the only time that it can be seen."""
        key, id, created = "sk-tw-" + secrets.token_urlsafe(32), new_id("key-"), now()
        lasts = request.expires_in_seconds
        with self._catalog.transaction() as connection:
            connection.execute(
                insert(tables.keys).values(
                    id=id,
                    organisation=caller.organisation,
                    name=request.name,
                    role=request.role,
                    sha256=_hash(key),
                    hint=masked(key),
                    created_at=created,
                    expires_at=created + lasts if lasts else None,
                )
            )
            made = self.key(caller, id)
        return CreatedKey(**dict(made), value=key)

    def keys(self, caller: Caller | None = None) -> list[Key]:
        """Every key that there ever was, oldest first; of all organisations without `caller`."""
        mine = _keys.organisation == caller.organisation if caller else None
        return self._read(*([] if mine is None else [mine]), newest_first=False)

    def page(
        self, caller: Caller, after: str | None, limit: int, *, newest_first: bool
    ) -> Page[Key]:
        """The living keys of the caller's organisation that come after the key `after`."""
        with self._catalog.reading() as connection:
            mine = [_keys.organisation == caller.organisation, *_living()]
            if after is not None:
                place = select(_keys.sequence).where(_keys.id == after, mine[0])
                start = connection.execute(place).scalar_one_or_none()
                if start is None:
                    return Page[Key](data=[])
                here = _keys.sequence
                mine.append(here < start if newest_first else here > start)
            found = self._read(*mine, newest_first=newest_first, limit=limit + 1)
        data = found[:limit]
        return Page[Key](
            data=data,
            first_id=data[0].id if data else None,
            last_id=data[-1].id if data else None,
            has_more=len(found) > limit,
        )

    def key(self, caller: Caller, id: str) -> Key:
        """A living key of the caller's organisation. Raises NotFound."""
        mine = _keys.organisation == caller.organisation
        found = self._read(mine, _keys.id == id, *_living(), newest_first=False)
        if not found:
            raise no_such_key(id)
        return found[0]

    def revoke_key(self, id: str) -> None:
        """Make a key useless, whosever it is. Its id and dates stay; its name and hash go."""
        with self._catalog.transaction() as connection:
            done = connection.execute(
                update(tables.keys)
                .where(_keys.id == id, _keys.revoked_at.is_(None))
                .values(revoked_at=now(), name="", hint="", sha256=id)
            )
        if done.rowcount == 0:
            raise no_such_key(id)

    def caller(self, key: str) -> Caller:
        """Whose key this is. Raises Unauthorized for a wrong, expired or revoked one, showing it
        masked."""
        hashed = _hash(key)
        found = self._catalog.remembered.get(("key", hashed), lambda: self._found(hashed))
        if found is None or not found.lives:
            raise Unauthorized(
                f"Incorrect API key provided: {masked(key)}. `tunewright keys create` on the "
                "server's machine makes a new one.",
                code="invalid_api_key",
            )
        return found.caller

    def known(self, key: str) -> Caller | None:
        """The same where it was looked up before and nothing has changed since, which takes no
        time; else None."""
        found: _Found | None = self._catalog.remembered.peek(("key", _hash(key)))
        return found.caller if found and found.lives else None

    def _found(self, hashed: str) -> "_Found | None":
        query = (
            select(_keys.organisation, _keys.role, _keys.expires_at, _organisations.name)
            .join(tables.organisations)
            .where(_keys.sha256 == hashed, *_living())
        )
        with self._catalog.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return _Found(Caller(row.organisation, row.name, row.role), row.expires_at)

    def _read(
        self, *where: ColumnElement[bool], newest_first: bool, limit: int | None = None
    ) -> list[Key]:
        order = _keys.sequence.desc() if newest_first else _keys.sequence.asc()
        query = (
            select(
                tables.keys,
                _organisations.name.label("owner_name"),
                _organisations.created_at.label("owner_created_at"),
            )
            .join(tables.organisations)
            .where(*where)
            .order_by(order)
            .limit(limit)
        )
        with self._catalog.reading() as connection:
            return [_key(row) for row in connection.execute(query)]


def no_such_key(id: str) -> NotFound:
    return NotFound(f"No such key: {id}", param="id")


def masked(key: str) -> str:
    """Enough of a key to recognise it and no more: first and last characters of a long one."""
    return f"{key[:8]}***{key[-4:]}" if len(key) >= 24 else "***"


def _living() -> list[ColumnElement[bool]]:
    return [
        _keys.revoked_at.is_(None),
        or_(_keys.expires_at.is_(None), _keys.expires_at > now()),
    ]


def _key(row: Any) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        redacted_value=row.hint,
        role=row.role,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        owner=KeyOwner(
            id=row.organisation,
            name=row.owner_name,
            created_at=row.owner_created_at,
            role=row.role,
        ),
    )


def _organisation(row: Any) -> Organisation:
    return Organisation(id=row.id, name=row.name, created_at=row.created_at)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
