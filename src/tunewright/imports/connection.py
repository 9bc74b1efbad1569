"""One connection to a source, and what its answers may take of this machine.

A source may be broken, or mean harm: a body without end, one that unpacks to gigabytes, heads that
are announced for ever, a byte a second. What is too much is counted as it comes, after unpacking;
what is too slow is noticed by a clock beside the reading, for a read that waits cannot notice it.
"""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2

_TIMEOUT = httpx2.Timeout(60.0, connect=15.0)
# Besides HTTPError what httpx raises for malformed answers; ValueError is of a closed socket.
FAULTS = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError)


@dataclass(frozen=True)
class Bounds:
    """`body`: bytes of one object or page, `content`: of one file, `together`: of everything.

    `pages`: of one list. `requests` in all, and of those `lost`: that came to nothing, `in_a_row`
    of them one after the other. An exchange brings `least` bytes in `window` seconds.
    """

    body: int = 32 * 2**20
    content: int = 8 * 2**30
    together: int = 64 * 2**30
    pages: int = 10_000
    requests: int = 1_000_000
    lost: int = 50
    in_a_row: int = 5
    least: int = 4096
    window: float = 60.0


class TooLarge(Exception):
    """More bytes came than were allowed: `most`."""

    def __init__(self, most: int) -> None:
        super().__init__(f"it has more than {most:,} bytes")
        self.most = most


class TooSlow(Exception):
    def __init__(self, bounds: Bounds) -> None:
        super().__init__(f"it brought less than {bounds.least:,} bytes in {bounds.window:g} s")


class Connection:
    """One request at a time. Not for several threads."""

    def __init__(self, headers: Mapping[str, str], bounds: Bounds) -> None:
        nothing = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._http = httpx2.Client(
            headers={**headers, "Accept-Encoding": "gzip"},
            timeout=_TIMEOUT,
            cookies=nothing,
            limits=httpx2.Limits(max_connections=1),
            trust_env=True,
        )
        self._bounds = bounds
        self._stream: Any = None  # of httpcore, below TLS where there is some
        self._clock = _Clock(bounds, self._end)

    def request(self, method: str, url: str, **more: Any) -> httpx2.Request:
        return self._http.build_request(method, url, extensions={"trace": self._trace}, **more)

    def send(self, request: httpx2.Request) -> httpx2.Response:
        """The head of the answer; `pieces` or `close` come next. Raises TooSlow, or of FAULTS."""
        self._clock.start()
        try:
            with self._clock:
                return self._http.send(request, stream=True, follow_redirects=False)
        except FAULTS:
            self._clock.stop()
            self._raise_if_slow()
            raise

    def pieces(self, answer: httpx2.Response, most: int) -> Iterator[bytes]:
        """The body, unpacked. Raises TooLarge, TooSlow, or of FAULTS."""
        size = 0
        found = answer.iter_bytes()
        try:
            while (piece := self._next(found)) is not None:
                size += len(piece)
                if size > most:
                    raise TooLarge(most)
                yield piece
        except FAULTS:
            self._raise_if_slow()
            raise
        finally:
            self.close(answer)

    def _next(self, found: Iterator[bytes]) -> bytes | None:
        with self._clock:
            piece = next(found, None)
        self._clock.bytes += len(piece or b"")
        return piece

    def close(self, answer: httpx2.Response) -> None:
        self._clock.stop()
        answer.close()

    def shut(self) -> None:
        self._clock.stop()
        self._http.close()

    def _raise_if_slow(self) -> None:
        if self._clock.rang:
            raise TooSlow(self._bounds) from None

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._stream = info["return_value"]

    def _end(self) -> None:
        """Whatever is being read ends at once. From another thread."""
        found = self._stream and self._stream.get_extra_info("socket")
        if found is not None:
            try:
                # Not its own method: that of TLS would take away what the reader is reading from.
                socket.socket.shutdown(found, socket.SHUT_RDWR)
            except OSError:  # it has ended by itself
                return


class _Clock:
    """Rings where, in a window, so much time went into waiting and so few bytes came of it."""

    def __init__(self, bounds: Bounds, ring: Any) -> None:
        self._bounds = bounds
        self._ring = ring
        self._timer: threading.Timer | None = None
        self._since: float | None = None
        self._waited = 0.0
        self._before = (0.0, 0)
        self.bytes = 0
        self.rang = False

    def start(self) -> None:
        self.stop()
        self._since, self._waited, self._before = None, 0.0, (0.0, 0)
        self.bytes, self.rang = 0, False
        self._arm()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __enter__(self) -> None:
        self._since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._waited, self._since = self._now(), None

    def _now(self) -> float:
        since = self._since
        return self._waited + (0.0 if since is None else time.monotonic() - since)

    def _arm(self) -> None:
        self._timer = threading.Timer(self._bounds.window, self._look)
        self._timer.daemon = True
        self._timer.start()

    def _look(self) -> None:
        now = (self._now(), self.bytes)
        waited, came = (new - old for new, old in zip(now, self._before, strict=True))
        self._before = now
        if waited > self._bounds.window / 2 and came < self._bounds.least:
            self.rang = True
            self._ring()
        elif self._timer is not None:
            self._arm()
