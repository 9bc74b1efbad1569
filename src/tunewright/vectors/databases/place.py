"""Where a database is, and what lets us in."""

import os
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from tunewright.errors import BadRequest, Unavailable


@dataclass(frozen=True)
class Place:
    """``NAME:PATH``, ``NAME://HOST:PORT/REST`` or ``NAME+http(s)://HOST:PORT/REST``.

    Shown (``str``, ``repr``), it has no password, and of its query only the names.
    """

    name: str  # chroma
    path: str = ""  # of NAME:PATH; else what follows the host, without its first slash
    transport: str = ""  # http, https; empty where the place has none
    host: str = ""
    port: int | None = None
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    url: str = field(default="", repr=False)  # as it was given: for a client that takes one

    @property
    def local(self) -> bool:
        """In this process: a path, and no server."""
        return not self.host

    @property
    def http(self) -> str:
        """``https://HOST:PORT``, of a place that says http or https."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport}://{host}" + (f":{self.port}" if self.port else "")

    def secret(self, *names: str) -> str:
        """The first of these environment variables that is set, preceded by TUNEWRIGHT_; else the
        password of the place, or nothing."""
        for name in names:
            for variable in (f"TUNEWRIGHT_{name}", name):
                if found := os.environ.get(variable, "").strip():
                    return found
        return self.password

    def needed(self, *names: str) -> str:
        """The same. Raises Unavailable, which says what to set."""
        if found := self.secret(*names):
            return found
        raise Unavailable(f"{self} needs a key: set {names[0]} where Tunewright runs.")

    def option(self, name: str, default: str = "") -> str:
        return dict(self.options).get(name, default)

    def __str__(self) -> str:
        if self.local:
            return f"{self.name}:{self.path}"
        scheme = f"{self.name}+{self.transport}" if self.transport else self.name
        port = f":{self.port}" if self.port else ""
        query = "?" + "&".join(f"{name}=..." for name, _ in self.options) if self.options else ""
        return f"{scheme}://{self.host}{port}" + (f"/{self.path}" if self.path else "") + query

    __repr__ = __str__


def place_of(url: str) -> Place:
    """Raises BadRequest, which does not repeat what may be a password."""
    scheme, colon, rest = url.partition(":")
    name, _, transport = scheme.partition("+")
    if not rest.startswith("//"):
        if transport or not colon or not rest:
            raise BadRequest(f"A {name} index is a place like {name}:PATH or {scheme}://HOST.")
        return Place(name, path=rest, url=url)
    if transport not in ("", "http", "https"):
        raise BadRequest(f"'{transport}' of {scheme}:// is none of http and https.")
    try:
        parts = urlsplit(f"//{rest[2:]}")
        options = tuple(parse_qsl(parts.query))
        socket = "" if transport else dict(options).get("host", "")  # a folder, for PostgreSQL
        host, port = parts.hostname or socket, parts.port
    except ValueError as error:
        raise BadRequest(f"The {scheme}:// address of an index cannot be read: {error}.") from None
    if not host:
        raise BadRequest(f"The {scheme}:// address of an index has no host.")
    return Place(
        name,
        path=unquote(parts.path.removeprefix("/")),
        transport=transport,
        # A name of an index is no host, whose letters have no case.
        host=host if transport else _as_written(parts.netloc, host),
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        options=options,
        url=url,
    )


def _as_written(netloc: str, host: str) -> str:
    at = netloc.lower().rfind(host)
    return host if at < 0 else netloc[at : at + len(host)]
