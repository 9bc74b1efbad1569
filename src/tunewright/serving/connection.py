"""One client of the engine: what is said to it is gathered, and sent as it takes it."""

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from tunewright.errors import TunewrightError
from tunewright.serving.protocol import Message, ProtocolError, error_fields, pack, receive

# A client with so much unread that takes nothing for so long is cut off: it would hold everybody's
# memory. One that only reads slowly is not, for all the API's generations share its connection.
BACKLOG_LIMIT = 32 * 1024 * 1024
DEAF_SECONDS = 5.0
BACKLOG_MOST = 512 * 1024 * 1024

log = logging.getLogger(__name__)


class Connection:
    """Thread-safe. Frames are gathered and sent by `flush`, which never waits for the peer."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self._out = bytearray()
        self._read_at = (
            time.monotonic()
        )  # when the peer last took something, or nothing was left to take
        self.open = True

    @property
    def unread(self) -> int:
        """Bytes that the peer has not taken."""
        return len(self._out)

    def say(self, op: str, id: int, **fields: object) -> None:
        self.put(pack({"op": op, "id": id, **fields}))

    def fail(self, id: int, error: TunewrightError) -> None:
        self.say("error", id, **error_fields(error))

    def put(self, frame: bytes) -> None:
        with self._lock:
            self._out += frame

    def flush(self) -> bool:
        """Send what the peer takes now; whether something is left over. Closes a broken one."""
        with self._lock:
            sound = self._flushed()
            if sound and self._deaf():
                log.warning("a client does not read its answers; its connection is closed")
                sound = False
            left = self.open and bool(self._out)
        if not sound:
            self.close()
        return sound and left

    def _flushed(self) -> bool:
        """Whether the connection is sound."""
        if not self._out or not self.open:
            self._read_at = time.monotonic()
            return True
        try:
            sent = self._sock.send(self._out, socket.MSG_DONTWAIT)
            del self._out[:sent]
            self._read_at = time.monotonic()
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def _deaf(self) -> bool:
        silent = time.monotonic() - self._read_at > DEAF_SECONDS
        return len(self._out) > BACKLOG_MOST or (len(self._out) > BACKLOG_LIMIT and silent)

    def close(self) -> None:
        """The reader thread notices, and its last word ends this connection's calls."""
        self.open = False
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def read(self, deliver: Callable[["Connection", Message | None], None]) -> None:
        """The reader thread's work: every message to `deliver`, then None."""
        try:
            while (message := receive(self._sock)) is not None:
                deliver(self, message)
        except (OSError, ProtocolError) as error:
            log.warning("a client's connection ended: %s", error)
        finally:  # whatever it was: its calls must end
            self.close()
            deliver(self, None)
            with self._lock:  # nobody sends, so the descriptor may become another's
                self._out.clear()
                self._sock.close()
