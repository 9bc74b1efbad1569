"""From a request to its connection, and to the use cases of the organisation whose key it has."""

from typing import Protocol

from starlette.requests import Request
from starlette.types import Scope

from tunewright.app import Acting

CONNECTION = "tunewright.connection"  # in a request's state


def acting(request: Request) -> Acting:
    return request.state.acting


class Connection(Protocol):
    """What a request came by. `sender`: whose it is, as far as is known without asking."""

    sender: str

    @property
    def gone(self) -> bool: ...

    def let_in(self, organisation: str) -> None:
        """Whose it is, now that this is known; from now on its body may be read."""
        ...


class _NoConnection:
    """In tests that call the application: the body is there."""

    sender = ""
    gone = False

    def let_in(self, organisation: str) -> None:
        pass


def connection_of(scope: Scope) -> Connection:
    return scope["state"].get(CONNECTION, _NoConnection())
