"""The server that is moved from. It is only read: there is no way here to send it anything.

The one exception has a class of its own, in `asking`.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx2
import orjson

from tunewright import __version__, names
from tunewright.errors import BadRequest, TunewrightError
from tunewright.imports.connection import FAULTS, Bounds, Connection, TooLarge, TooSlow
from tunewright.imports.fields import mapping, mappings, text

OPENAI = "https://api.openai.com/v1"
TRIES = 6
LONGEST_WAIT = 120.0  # seconds, of one wait
_PAGE = 100
_AGAIN = {408, 409, 429, 500, 502, 503, 504}
_REASON = 2**16  # bytes of a refusal that are read
_LONGEST_REASON = 300  # characters of it that are told
_OURS = "sk-tw-"  # what keys of our own servers begin with


class SourceError(TunewrightError):
    """`answered` is the source's status, 0 where it gave no answer. `remedy` says what may help."""

    def __init__(
        self, message: str, answered: int = 0, remedy: str = "", *, unreachable: bool = False
    ) -> None:
        super().__init__(message)
        self.answered = answered
        self.remedy = remedy
        self._unreachable = unreachable

    @property
    def absent(self) -> bool:
        """Whether the source does not have the call at all."""
        return self.answered in (404, 405, 501)

    @property
    def fatal(self) -> bool:
        """Whether nothing else can be asked either: the key is refused, or nobody is there."""
        return self._unreachable or self.answered == 401


@dataclass(frozen=True)
class Page:
    """One page of a list: `raw` as it was received, `data` its objects."""

    raw: bytes
    data: list[dict[str, Any]]


class Source:
    """Reads with GET alone. 429 and 5xx are asked again, after as long as the source says.

    The key goes to the source's own host only: a redirect to another one is refused. It stands in
    no message. `headers`: further ones, such as the organisation's. `bounds`: what the source may
    take of this machine; one that goes beyond them in all its answers together is a fatal error.
    """

    def __init__(
        self,
        key: str,
        base_url: str = OPENAI,
        *,
        headers: Mapping[str, str] | None = None,
        bounds: Bounds | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises BadRequest for a key that is none, or not one of this source, and for an address
        that is none."""
        self.base_url = _address(base_url)
        self._key = _checked(key.strip(), self.base_url)
        self._headers = {
            "Authorization": f"Bearer {self._key}",
            "User-Agent": f"tunewright/{__version__}",
            **(headers or {}),
        }
        self.bounds = bounds or Bounds()
        self._sleep = sleep
        self._own = threading.local()
        self._connections: list[Connection] = []
        self._received = self._requests = self._lost = self._in_a_row = 0

    def get(self, path: str, **query: Any) -> bytes:
        """The body of one object. Raises SourceError where it is refused, stays unreachable, or is
        larger than an object may be."""
        with self._streamed(path, self.bounds.body, query) as pieces:
            return b"".join(pieces)

    def record(self, path: str, **query: Any) -> bytes:
        """As `get`, of what is a JSON object."""
        raw = self.get(path, **query)
        _parsed(raw, path)
        return raw

    def pages(self, path: str, *, limit: int = _PAGE, **query: Any) -> Iterator[Page]:
        """The pages of a list, each asked for when it is wanted; smaller ones where they are too
        large. What is no object stands in a page as one without fields."""
        seen: set[str] = set()
        after: dict[str, Any] = {}
        while len(seen) < self.bounds.pages:
            try:
                raw = self.get(path, limit=limit, **query, **after)
            except _Large:
                if limit == 1:
                    raise
                limit = max(1, limit // 10)
                continue
            found = _parsed(raw, path)
            if not isinstance(found.get("data"), list):
                raise SourceError(f"GET {path} did not return a list.")
            data = mappings(found["data"])
            yield Page(raw, data)
            if not (found.get("has_more") and data):
                return
            last = text(data[-1].get("id"))
            if not last or len(last) > names.LONGEST_FOREIGN:
                raise SourceError(
                    f"GET {path} has more pages, but gives no id from which to continue."
                )
            if last in seen:
                raise SourceError(f"GET {path} returned the page after {last} twice.")
            seen.add(last)
            after = {"after": last}
        raise SourceError(f"GET {path} has more than {self.bounds.pages:,} pages.")

    def objects(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        for page in self.pages(path, **query):
            yield from page.data

    @contextmanager
    def stream(self, path: str, **query: Any) -> Iterator[Iterator[bytes]]:
        """A file's content in pieces; it is opened again only before its first byte is given."""
        with self._streamed(path, self.bounds.content, query) as pieces:
            yield pieces

    def close(self) -> None:
        for connection in self._connections:
            connection.shut()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _connection(self) -> Connection:
        """Of this thread."""
        if not hasattr(self._own, "connection"):
            self._own.connection = Connection(self._headers, self.bounds)
            self._connections.append(self._own.connection)
        return self._own.connection

    @contextmanager
    def _streamed(
        self, path: str, most: int, query: Mapping[str, Any]
    ) -> Iterator[Iterator[bytes]]:
        answer = self._opened(f"{self.base_url}{path}", query)
        try:
            yield self._pieces(answer, path, most)
        finally:
            self._connection.close(answer)

    def _pieces(self, answer: httpx2.Response, path: str, most: int) -> Iterator[bytes]:
        try:
            for piece in self._connection.pieces(answer, most):
                self._received += len(piece)
                if self._received > self.bounds.together:
                    raise _too_much(f"more than {self.bounds.together:,} bytes")
                yield piece
        except TooLarge as error:
            raise _Large(f"GET {path} was refused here: {error}.") from None
        except (TooSlow, *FAULTS) as error:
            raise self._broken(
                SourceError(f"GET {path} broke off: {self._clean(error)}.")
            ) from None
        self._in_a_row = 0

    def _broken(self, error: SourceError) -> SourceError:
        """`error`, fatal where too much has come to nothing."""
        self._lost += 1
        self._in_a_row += 1
        if self._in_a_row < self.bounds.in_a_row and self._lost < self.bounds.lost:
            return error
        what = f"{error.message} That was the {_ordinal(self._lost)} answer that failed."
        return SourceError(what, error.answered, _GOES_ON, unreachable=True)

    def _opened(self, url: str, query: Mapping[str, Any]) -> httpx2.Response:
        for tried in range(1, TRIES + 1):
            try:
                answer = self._sent(url, query)
            except TooSlow as error:
                what = f"{self.base_url} gave no answer in time: {error}."
                raise self._broken(SourceError(what, remedy=_GOES_ON)) from None
            except FAULTS as error:
                if tried == TRIES:
                    raise self._gone(error) from None
                self._sleep(backoff(tried))
                continue
            if answer.is_success:
                return answer
            if answer.status_code not in _AGAIN:
                raise self._refused(answer)
            if tried == TRIES:
                raise self._broken(self._refused(answer))
            self._connection.close(answer)
            self._sleep(told(answer) or backoff(tried))
        raise AssertionError("unreachable")

    def _gone(self, error: Exception) -> SourceError:
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError):
            what = f"{self.base_url} cannot be reached: {self._clean(error)}."
            remedy = f"Check the network and the address. {_GOES_ON}"
            return SourceError(what, remedy=remedy, unreachable=True)
        return self._broken(SourceError(f"{self.base_url} gave no answer: {self._clean(error)}."))

    def _sent(self, url: str, query: Mapping[str, Any]) -> httpx2.Response:
        request = self._connection.request("GET", url, params=dict(query) or None)
        for _ in range(5):
            self._requests += 1
            if self._requests > self.bounds.requests:
                raise _too_much(f"more than {self.bounds.requests:,} requests")
            answer = self._connection.send(request)
            following = answer.next_request
            if following is None:
                return answer
            self._connection.close(answer)
            if _origin(following.url) != _origin(request.url):
                raise SourceError(
                    f"GET {request.url.path} was redirected to another host, "
                    f"{self._clean(following.url.host)}. That is not followed, because the key "
                    "would be sent there.",
                    answer.status_code,
                )
            request = following
        raise SourceError(f"GET {request.url.path} was redirected too often.")

    def _refused(self, answer: httpx2.Response) -> SourceError:
        return self._refusal(answer, self._reason(answer))

    def _refusal(self, answer: httpx2.Response, raw: bytes) -> SourceError:
        path, status = answer.request.url.path, answer.status_code
        try:
            found = mapping(orjson.loads(raw))
        except ValueError:
            found = {}
        said = self._clean(text(mapping(found.get("error")).get("message")))
        what = f"{answer.request.method} {path}: {status}, {said or 'no reason was given'}."
        return SourceError(what, status, _REMEDIES.get(status, ""))

    def _reason(self, answer: httpx2.Response) -> bytes:
        """What a refusal says, if that is no book; closes it."""
        try:
            return b"".join(self._connection.pieces(answer, _REASON))
        except (TooLarge, TooSlow, *FAULTS):
            return b""

    def _clean(self, said: object) -> str:
        """A server may quote the key that it refuses, and anything else."""
        plain = " ".join(str(said).replace(self._key, "[key]").split())
        short = plain if len(plain) <= _LONGEST_REASON else f"{plain[:_LONGEST_REASON]} ..."
        return short.rstrip(".")


class _Large(SourceError):
    """An object larger than it may be."""


def _too_much(what: str) -> SourceError:
    return SourceError(
        f"Reading from the source took {what} in one run.", remedy=_GOES_ON, unreachable=True
    )


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else _ENDINGS.get(number % 10, "th")
    return f"{number}{ending}"


_ENDINGS = {1: "st", 2: "nd", 3: "rd"}
_GOES_ON = "Run it again: it continues from here."


def _address(base_url: str) -> str:
    """Without a slash at its end. Raises BadRequest."""
    try:
        url = httpx2.URL(base_url)
    except (httpx2.InvalidURL, TypeError):
        url = httpx2.URL()
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        what = f"'{base_url[:200]}' is not the address of a server."
        raise BadRequest(f"{what} Write it like {OPENAI}.", param="from_base_url")
    return base_url.rstrip("/")


def _checked(key: str, base_url: str) -> str:
    host = httpx2.URL(base_url).host
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise BadRequest("OPENAI_API_KEY must hold a key of the account to read.", param="key")
    if key.startswith(_OURS) and (host == "openai.com" or host.endswith(".openai.com")):
        raise BadRequest(
            f"OPENAI_API_KEY holds a key of a Tunewright server ({_OURS}...), and it would be sent "
            f"to {host}. Set OPENAI_API_KEY to your key at OpenAI; to read from a Tunewright "
            "server, name it: --from-base-url http://127.0.0.1:8000/v1",
            param="key",
        )
    return key


_REMEDIES = {
    401: "Set OPENAI_API_KEY to a key of this account.",
    403: "Use a key that may read this (a key of the project's owner with all permissions), or "
    "give the file yourself: --file ID=PATH.",
    404: "It was deleted, or belongs to another project: use that project's key.",
    429: "The source limits how often it is asked: run the same command later, it goes on from "
    "here.",
}


def _parsed(raw: bytes, path: str) -> dict[str, Any]:
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise SourceError(f"GET {path} returned no JSON object.", remedy="Check --from-base-url.")
    return found


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def backoff(tried: int) -> float:
    return min(LONGEST_WAIT, 2.0 ** (tried - 1))


def told(answer: httpx2.Response) -> float:
    """How long the source asks to wait, in seconds; 0 where it does not say."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return min(LONGEST_WAIT, max(0.0, float(answer.headers[name]) / unit))
        except (KeyError, ValueError):
            continue
    return 0.0
