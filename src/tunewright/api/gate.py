"""What every request passes: its id, its key, and the headers of every answer."""

import logging
import re
import secrets
import sys
import time
from collections.abc import Callable, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tunewright.access import Caller
from tunewright.api.acting import Connection, connection_of
from tunewright.api.call import Call
from tunewright.api.hosts import Hosts
from tunewright.api.responses import error_response, scarce
from tunewright.api.turns import Lane
from tunewright.app import Tunewright
from tunewright.errors import BadRequest, TunewrightError, Unauthorized
from tunewright.usage import Quota

log = logging.getLogger(__name__)

MAX_HEAD = 32 * 1024
_DOOR = 2  # keys that are looked up at once
API_VERSION = "2020-10-01"  # what api.openai.com says in openai-version


class Gate:
    """Lets a request in only with a key; puts `acting` and `request_id` into its state.

    Plain ASGI: a middleware that wraps the response would stand between a stream and its client.
    """

    def __init__(self, app: ASGIApp, tw: Tunewright, calls: Sequence[Call]) -> None:
        self._app = app
        self._tw = tw
        self._open = {call.path for call in calls if call.open}
        posts = (call for call in calls if call.method == "POST")
        posts = sorted(posts, key=lambda call: call.counts != "tokens")  # those called most first
        self._counts = [(call.route.path_regex, call.counts) for call in posts]
        self._hosts = Hosts(tw.settings)
        self._door = Lane("asking", _DOOR, sys.maxsize, spare=1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["path"] = _tidy(scope["path"])
        state = scope.setdefault("state", {})
        state["request_id"] = new_request_id()
        answer = _Answer(send, state["request_id"])
        headers = Headers(scope=scope)
        try:
            _check_head(headers, answer)
            self._hosts.check(headers)
            if scope["path"] not in self._open:
                connection = connection_of(scope)
                key = _key(headers)
                caller = self._tw.access.known(key) or await self._caller(key, connection)
                quota = self._tw.usage.of(caller.organisation)
                state["acting"] = self._tw.acting(caller, admitted=True)
                answer.organisation = caller.name
                answer.rates = quota.headers
                self._admit(scope, quota)
                connection.let_in(caller.organisation)
        except TunewrightError as error:
            await error_response(error)(scope, receive, answer.send)
            error.__traceback__ = None  # it holds the frames, and they hold it
            return
        except ClientDisconnect:
            await Response(status_code=499)(scope, receive, answer.send)  # nobody reads it
            return
        except (OSError, RuntimeError) as error:
            await error_response(scarce(error))(scope, receive, answer.send)
            return
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            log.exception("request %s: %s %s", answer.id, scope["method"], scope["path"])
            if answer.begun:
                raise  # nothing can be said any more: the connection breaks off
            await error_response(_fault(answer.id))(scope, receive, answer.send)

    def _admit(self, scope: Scope, quota: Quota) -> None:
        """Count it before its body is read, and not again in its use case. Who polls a job uses up
        nothing, and what is no call of ours counts as a request."""
        if scope["method"] != "POST":
            return
        found = (counts for path, counts in self._counts if path.match(scope["path"]))
        counts = next(found, "request")
        if counts != "nothing":
            quota.admit(tokens=counts == "tokens")

    async def _caller(self, key: str, connection: Connection) -> Caller:
        """Look the key up, by turns."""
        async with self._door.turn(connection.sender):
            if connection.gone:
                raise ClientDisconnect
            return await run_in_threadpool(self._tw.access.caller, key)


def _key(headers: Headers) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    if "api-key" in headers or "x-api-key" in headers:
        raise Unauthorized(
            "The key must stand in the Authorization header (Bearer YOUR_KEY), as OpenAI's "
            "clients send it: use OpenAI(base_url=...) instead of AzureOpenAI, with a URL "
            "that ends in /v1."
        )
    raise Unauthorized(
        "You didn't provide an API key. You need to provide your API key in an "
        "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). "
        "`tunewright serve` printed one at its first start; `tunewright keys create` "
        "makes another."
    )


def _tidy(path: str) -> str:
    """``//v1/models/`` is ``/v1/models``: what comes of joining a base URL to a path. A redirection
    would be lost on many clients, and lead to another scheme behind a proxy."""
    return re.sub("/{2,}", "/", path).rstrip("/") or "/"


def new_request_id() -> str:
    return f"req_{secrets.token_hex(16)}"


def _fault(id: str) -> TunewrightError:
    """A fault of ours. The trace goes to the log; the client gets the id to ask about."""
    return TunewrightError(
        "The server had an error while processing your request. The server's log tells more "
        f"(request {id})."
    )


def _check_head(headers: Headers, answer: "_Answer") -> None:
    """What h11 lets through. The connection ends, for nobody knows where we are in it.

    Two lengths for one body: a proxy may go by the one and we by the other, and what is body to
    the one is a request to the other. And a large head: h11 measures only one that is incomplete.
    """
    answer.closes = True
    if "transfer-encoding" in headers and "content-length" in headers:
        raise BadRequest("A request may have Content-Length or Transfer-Encoding, but not both.")
    if sum(len(name) + len(value) + 4 for name, value in headers.raw) > MAX_HEAD:
        raise BadRequest(f"The headers of a request may have {MAX_HEAD} bytes at most.")
    answer.closes = False


class _Answer:
    """Adds the headers that clients read to whatever is answered."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.id = request_id
        self.begun = False
        self._began = time.perf_counter()
        self.organisation: str | None = None
        self.rates: Callable[[], dict[str, str]] = dict
        self.closes = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            milliseconds = (time.perf_counter() - self._began) * 1000
            headers["x-request-id"] = self.id
            headers["openai-processing-ms"] = str(round(milliseconds))
            headers["openai-version"] = API_VERSION
            if self.organisation:
                headers["openai-organization"] = self.organisation
            headers.update(self.rates())
            if self.closes:
                headers["connection"] = "close"
        await self._send(message)
