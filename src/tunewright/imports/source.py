"""The server that is moved from. It is only read: there is no way here to send it anything.

The one exception has a class of its own, in `asking`.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx2
import orjson

from tunewright import __version__
from tunewright.errors import TunewrightError

OPENAI = "https://api.openai.com/v1"
TRIES = 6
LONGEST_WAIT = 120.0  # seconds, of one wait
_PAGE = 100
_AGAIN = {408, 409, 429, 500, 502, 503, 504}
_TIMEOUT = httpx2.Timeout(60.0, connect=15.0)


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
    no message. `headers`: further ones, such as the organisation's.
    """

    def __init__(
        self,
        key: str,
        base_url: str = OPENAI,
        *,
        headers: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._key = key
        self._sleep = sleep
        self._http = httpx2.Client(
            headers={
                "Authorization": f"Bearer {key}",
                "User-Agent": f"tunewright/{__version__}",
                **(headers or {}),
            },
            timeout=_TIMEOUT,
            trust_env=True,
        )

    def get(self, path: str, **query: Any) -> bytes:
        """The body of one object. Raises SourceError where it is refused or stays unreachable."""
        with self.stream(path, **query) as pieces:
            return b"".join(pieces)

    def json(self, path: str, **query: Any) -> dict[str, Any]:
        return _parsed(self.get(path, **query), path)

    def pages(self, path: str, *, limit: int = _PAGE, **query: Any) -> Iterator[Page]:
        """The pages of a list, each asked for when it is wanted."""
        after: dict[str, Any] = {}
        while True:
            raw = self.get(path, limit=limit, **query, **after)
            found = _parsed(raw, path)
            data = found.get("data")
            if not isinstance(data, list):
                raise SourceError(f"GET {path} gave no list.")
            yield Page(raw, data)
            last = data[-1].get("id") if data else None
            if not found.get("has_more") or last is None:
                return
            if after.get("after") == last:
                raise SourceError(f"GET {path} gave the page after {last} twice.")
            after = {"after": last}

    def objects(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        for page in self.pages(path, **query):
            yield from page.data

    @contextmanager
    def stream(self, path: str, **query: Any) -> Iterator[Iterator[bytes]]:
        """The body in pieces; it is opened again only before its first byte is given."""
        answer = self._opened(f"{self.base_url}{path}", query)
        try:
            yield self._pieces(answer, path)
        finally:
            answer.close()

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _pieces(self, answer: httpx2.Response, path: str) -> Iterator[bytes]:
        try:
            yield from answer.iter_bytes()
        except httpx2.HTTPError as error:
            raise SourceError(f"GET {path} broke off: {self._clean(error)}.") from None

    def _opened(self, url: str, query: Mapping[str, Any]) -> httpx2.Response:
        for tried in range(1, TRIES + 1):
            try:
                answer = self._sent(url, query)
            except httpx2.HTTPError as error:
                if tried == TRIES:
                    what = f"{self.base_url} cannot be reached: {self._clean(error)}."
                    remedy = "Look at the network, then run it again: it goes on from here."
                    raise SourceError(what, remedy=remedy, unreachable=True) from None
                self._sleep(backoff(tried))
                continue
            if answer.is_success:
                return answer
            if answer.status_code not in _AGAIN or tried == TRIES:
                raise self._refused(answer)
            answer.close()
            self._sleep(told(answer) or backoff(tried))
        raise AssertionError("unreachable")

    def _sent(self, url: str, query: Mapping[str, Any]) -> httpx2.Response:
        request = self._http.build_request("GET", url, params=dict(query) or None)
        for _ in range(5):
            answer = self._http.send(request, stream=True, follow_redirects=False)
            following = answer.next_request
            if following is None:
                return answer
            answer.close()
            if _origin(following.url) != _origin(request.url):
                raise SourceError(
                    f"GET {request.url.path} was redirected to another host, "
                    f"{following.url.host}: it is not followed, for the key would go there.",
                    answer.status_code,
                )
            request = following
        raise SourceError(f"GET {request.url.path} was redirected too often.")

    def _refused(self, answer: httpx2.Response) -> SourceError:
        path, status = answer.request.url.path, answer.status_code
        try:
            said = orjson.loads(answer.read())["error"]["message"]
        except (httpx2.HTTPError, ValueError, KeyError, TypeError):
            said = "no reason was given"
        finally:
            answer.close()
        what = f"{answer.request.method} {path}: {status}, {self._clean(said)}."
        return SourceError(what, status, _REMEDIES.get(status, ""))

    def _clean(self, said: object) -> str:
        """A server may quote the key that it refuses."""
        return str(said).replace(self._key, "[key]").rstrip(".")


_REMEDIES = {
    401: "Set OPENAI_API_KEY to a key of this account.",
    403: "Use a key that may read this (a key of the project's owner with all permissions), or "
    "give the file by hand: --file ID=PATH.",
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
        raise SourceError(f"GET {path} gave no JSON object.", remedy="Look at --from-base-url.")
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
