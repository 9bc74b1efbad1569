"""Which names this server answers to. A browser on this machine can be made to call it.

A page of evil.example whose name is rebound to 127.0.0.1 reaches a server on loopback, and says
`Host: evil.example`. An address in figures cannot be rebound, so those pass.
"""

import ipaddress

from starlette.datastructures import Headers

from tunewright.errors import Misdirected
from tunewright.settings import Settings


class Hosts:
    def __init__(self, settings: Settings) -> None:
        self._names = {"localhost", settings.host.lower()} | {
            name.lower().rstrip(".") for name in settings.allowed_hosts
        }

    def check(self, headers: Headers) -> None:
        """Raises Misdirected for a name that is none of ours. HTTP/1.0 may leave it out."""
        name = _name(headers.get("host", "localhost"))
        if "*" in self._names or name in self._names or _is_address(name):
            return
        raise Misdirected(
            f"This server does not answer to the name '{name[:255]}'. Its operator can add the "
            "name to `allowed_hosts` in settings.toml."
        )


def _name(host: str) -> str:
    """The name in `name:port`, `[::1]:port` or `name.`, lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
