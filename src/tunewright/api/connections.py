"""One connection: uvicorn's, with the defences against slow and greedy clients that it lacks.

uvicorn by itself waits for ever: 1,000 half-sent heads were all open after 20 seconds, and each
holds a file descriptor. No middleware can help, as none is called before the head is whole.
"""

import asyncio
import hashlib
import math
import re
import resource
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from tunewright.api.acting import CONNECTION
from tunewright.api.arriving import Arriving
from tunewright.api.gate import MAX_HEAD, new_request_id
from tunewright.api.memory import Trimmer
from tunewright.api.responses import error_headers, json_bytes
from tunewright.api.rounds import Rounds
from tunewright.api.sending import MOST_GATHERED, Lingering
from tunewright.errors import BadRequest, Busy, RequestTimeout, TunewrightError, Unavailable
from tunewright.settings import Settings

RESERVED_FILES = 256  # for the catalog, uploads and the connections of the engine
MOST_READ = 64 * 1024  # bytes at once: while they wait for their turn they are in memory
SMALL = 1024  # bytes of a read of which there may be SMALL_FREE in one request
SMALL_FREE = 16
LEAST_PAUSE, MOST_PAUSE = 0.005, 0.25  # seconds before the next
LINGER_SECONDS = 2.0
MOST_LINGERED = 1024 * 1024
CROWDED_SECONDS = 1.0  # how long one connection too many may stay silent
AGAIN_SECONDS = 1.0  # until the next look, where what was late had come
_CLAIM = re.compile(rb"\r\nauthorization:([^\r\n]{1,4096})", re.IGNORECASE)


@dataclass(frozen=True)
class Patience:
    """Seconds for a whole head; bytes that a body must bring in each window of seconds; seconds
    that an answer may lie unread; connections of one address, and of all together."""

    head_seconds: float
    body_seconds: float
    body_bytes: int
    write_seconds: float
    peer_connections: int
    connections: int

    @classmethod
    def of(cls, settings: Settings) -> "Patience":
        return cls(
            settings.head_seconds,
            settings.body_seconds,
            math.ceil(settings.body_rate * settings.body_seconds),
            settings.write_seconds,
            settings.peer_connections,
            room_for_connections(),
        )


def room_for_connections() -> int:
    """How many the limit on open files allows, with RESERVED_FILES for everything else: a server
    that comes to the limit could answer nobody, not even to say so."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(files - RESERVED_FILES, files // 2)


def guarded(patience: Patience) -> type[H11Protocol]:
    """The protocol class for uvicorn; all its connections are counted together."""
    shared = {
        "patience": patience,
        "peers": Counter(),
        "rounds": Rounds(),
        "trimmer": Trimmer(),
    }
    return type("Guarded", (Guarded,), shared)


class Guarded(H11Protocol):
    patience: ClassVar[Patience]
    peers: ClassVar[Counter[str]]
    rounds: ClassVar[Rounds]
    trimmer: ClassVar[Trimmer]

    arriving: Arriving  # pyright: ignore[reportUninitializedInstanceVariable]
    _awaited: Literal["head", "body"] | None = None
    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _peer = ""
    _crowded: TunewrightError | None = None
    _window = 0  # bytes received in this window of the body
    _paused = False  # whether we ourselves had stopped reading when it began
    _small = 0  # how often in a row next to nothing came of one request
    _pause: asyncio.TimerHandle | None = None
    _lingering = False
    _lingered = 0  # bytes
    _came = 0  # bytes, until the connection lingers
    _unheard = b""  # what has come and waits for its turn
    _next_waits = False  # whether the next request, which has come already, does
    _completing = False
    _claim = b""  # a hash of what the head said of its key
    sender = ""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.conn = self.arriving = Arriving(MAX_HEAD)
        super().connection_made(cast(Any, Lingering(transport, self, self.loop)))
        self.sender = self._peer = self.client[0] if self.client else ""
        self.app_state = {**self.app_state, CONNECTION: self}
        cast(Any, transport).max_size = MOST_READ
        self.peers[self._peer] += 1
        self._crowded = self._too_many()
        if self._crowded:
            self._timer = self.loop.call_later(CROWDED_SECONDS, transport.abort)
        else:
            self._watch()

    def _too_many(self) -> TunewrightError | None:
        if self.peers[self._peer] > self.patience.peer_connections:
            return Busy("Too many connections from your address. Close some and retry.")
        if self.peers.total() > self.patience.connections:
            return Unavailable("The server has as many connections as it can hold. Retry soon.")
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.peers[self._peer] -= 1
        if not self.peers[self._peer]:
            del self.peers[self._peer]
        self._stop_timer()
        self._read_at_last()
        self._unheard = b""
        if self._pause:
            self._pause.cancel()
        super().connection_lost(exc)
        if self._came >= MOST_READ:
            self.trimmer.soon()
        self._let_go()

    def _let_go(self) -> None:
        """Nothing refers to this in a circle: a thousand connections that end would else be found
        by the collector all at once, which took 0.2 s."""
        cast(Any, self.transport).lost()
        for name in ("app_state", "scope", "cycle"):
            setattr(self, name, None)

    def data_received(self, data: bytes) -> None:
        if self._crowded:
            self._refuse(self._crowded)
            return
        if self._lingering:
            self._discard(len(data))
            return
        self._window += len(data)
        self._came += len(data)
        self._unset_keepalive_if_required()
        waited = bool(self._unheard)
        self._unheard += data
        if waited or not self.rounds.take(self._sender(data), self._hear):
            self.transport.pause_reading()

    def _sender(self, data: bytes) -> str:
        """Whose turn it takes to hear `data`: what a head says is looked at, not believed."""
        if self.conn.their_state is h11.IDLE and (found := _CLAIM.search(data)):
            self._claim = hashlib.sha256(found[1]).digest()
            self.sender = self.rounds.of(self._claim) or self._peer
        return self.sender

    def _hear(self) -> None:
        data, self._unheard = self._unheard, b""
        if self._lingering:
            self._discard(len(data))
            return
        if self.gone:
            return
        super().data_received(data)
        if self.arriving.waiting > MOST_GATHERED:
            self.flow.pause_reading()
        self._pace(len(data))
        if self._pause is None:
            self._go_on_reading()
        self._watch()

    def handle_events(self) -> None:
        """The next request of a connection takes a turn of its own, though it has come already."""
        if not self._completing or not self.arriving.waiting:
            super().handle_events()
        elif not self._next_waits:
            self._next_waits = True
            self.rounds.take(self.sender, self._next_request)

    def _next_request(self) -> None:
        self._next_waits = False
        if not self.transport.is_closing():
            super().handle_events()
            self._watch()

    def _pace(self, size: int) -> None:
        """Who sends byte by byte is read less and less often: each read costs the same."""
        self._small = self._small + 1 if size < SMALL and self._owed() else 0
        if self._small <= SMALL_FREE or self.transport.is_closing():
            return
        seconds = min(MOST_PAUSE, LEAST_PAUSE * 2.0 ** (self._small - SMALL_FREE))
        self.transport.pause_reading()
        self._pause = self.loop.call_later(seconds, self._unpause)

    def _unpause(self) -> None:
        self._pause = None
        self._go_on_reading()

    def _go_on_reading(self) -> None:
        if not self.flow.read_paused and not self._unheard and not self.transport.is_closing():
            self.transport.resume_reading()

    @property
    def gone(self) -> bool:
        return self.transport.is_closing()

    def let_in(self, organisation: str) -> None:
        """The request has a key: from now on its body is read."""
        self.sender = organisation
        if self._claim:
            self.rounds.know(self._claim, organisation)
        if not self.arriving.wanted and not self.transport.is_closing():
            self.arriving.wanted = True
            self.flow.resume_reading()
            self.handle_events()
            self._watch()

    def owes_body(self) -> bool:
        """Whether a body is still to come, whose request is answered: it is not worth reading."""
        return self.arriving.owes_body and not self.arriving.body_is_there

    def lingers(self) -> bool:
        """Whether closing now would come too early."""
        return self.owes_body() and not self._lingering and not self.transport.is_closing()

    def linger(self) -> None:
        """The answer is out. Closed at once, with bytes unread, the client might never see it."""
        self._lingering = True
        self._stop_timer()
        self._unset_keepalive_if_required()
        cast(Any, self.transport).finish()
        self.flow.resume_reading()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _discard(self, size: int) -> None:
        """The next piece by turns, too: a thousand who send on are read in each round."""
        self._lingered += size
        self.transport.pause_reading()
        if self._lingered <= MOST_LINGERED:
            self.rounds.take(self.sender, self._discard_more)

    def _discard_more(self) -> None:
        if not self.gone:
            self.transport.resume_reading()

    def on_response_complete(self) -> None:
        if self._lingering:
            return
        if self.owes_body():
            self.linger()
            return
        rest = self.arriving.owes_body
        self.arriving.wanted = True
        self._small = 0  # counted anew: http.client sends each head and its body apart
        self._completing = True
        super().on_response_complete()
        if rest and not self.transport.is_closing():
            self.handle_events()
        self._completing = False
        self._watch()

    def pause_writing(self) -> None:
        """The client does not read. uvicorn would wait as long as that lasts."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.patience.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._read_at_last()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        self._refuse(BadRequest(self.arriving.complaint or msg))

    def _watch(self) -> None:
        """Start the clock of what the client owes now, unless it runs already."""
        awaited = self._owed()
        if awaited == self._awaited:
            return
        self._stop_timer()
        self._awaited = awaited
        if awaited == "head":
            self._timer = self.loop.call_later(self.patience.head_seconds, self._late)
        elif awaited == "body":
            self._open_window()

    def _owed(self) -> Literal["head", "body"] | None:
        if self.transport.is_closing() or self._lingering:
            return None
        if self.conn.their_state is h11.SEND_BODY:
            return "body"
        # Between two requests uvicorn's own clock runs, until the first byte of the next head.
        idle = self.timeout_keep_alive_task is not None
        return "head" if self.conn.their_state is h11.IDLE and not idle else None

    def _open_window(self) -> None:
        self._window = 0
        self._paused = self.flow.read_paused
        self._timer = self.loop.call_later(self.patience.body_seconds, self._close_window)

    def _close_window(self) -> None:
        """A client whose bytes we left unread, or that waits for our "100 Continue", owes none."""
        waits = self._paused or self.flow.read_paused or self.conn.they_are_waiting_for_100_continue
        waits = waits or bool(self._unheard)
        answered = self.cycle.response_complete
        if answered or (self._window < self.patience.body_bytes and not waits):
            self._late()
        else:
            self._open_window()

    def _late(self) -> None:
        if self._unheard:  # it is here, and we are late
            self._timer = self.loop.call_later(AGAIN_SECONDS, self._late)
            return
        self._refuse(RequestTimeout("Your request came too slowly. Please send it again."))

    def _refuse(self, error: TunewrightError) -> None:
        """Answer `error` if no answer has begun, and close. The application hears a disconnect."""
        if self.transport.is_closing() or self._lingering:
            return
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        if self.cycle:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = json_bytes(error.body())
        headers = {
            **error_headers(error),
            "x-request-id": new_request_id(),
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
        }
        reason = STATUS_PHRASES[error.status]
        answer = h11.Response(
            status_code=error.status, headers=list(headers.items()), reason=reason
        )
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _read_at_last(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
