"""What has come of a request, handed to h11 no sooner than it is wanted and in large pieces.

h11 makes an event of each chunk, some 20 us: two megabytes a second in chunks of one byte, without
any key, kept the event loop busy. Here a head goes in alone, its body waits until somebody asks
for it (who has no key is answered without), and chunks are merged before h11 sees them.
"""

import re

import h11

MOST_TINY = 1000  # chunks of a body whose mean is below TINY bytes
TINY = 64  # 64 KiB of chunks of 20 bytes took 9 ms of the event loop
MOST_LINES = 256  # of a head: h11 takes 4 us for each, 25 ms for 6,000

_LINES = f"The head of the request has more than {MOST_LINES} lines."
_TINY = "The body of the request comes in chunks of a few bytes. Send larger ones."
_HEAD_END = re.compile(rb"\n\r?\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,20})(?:[ \t]*;[^\r\n]{0,256})?[ \t]*\r\n")
_LONGEST_LINE = 512


class Arriving(h11.Connection):
    """The server's side. `wanted`: whether the body of the present request may go in.
    `complaint`: what is wrong with it, where h11 has no words for it."""

    complaint: str | None = None

    def __init__(self, most_head: int) -> None:
        super().__init__(h11.SERVER, most_head)
        self._most_head = most_head
        self._rest = bytearray()
        self._body: _Sized | _Chunked | None = None
        self.wanted = False

    def receive_data(self, data: bytes) -> None:
        if data:
            self._rest += data
        else:
            super().receive_data(data)

    def next_event(self) -> "h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]":
        while True:
            if self.owes_body and not self.wanted:
                return h11.NEED_DATA
            event = super().next_event()
            if isinstance(event, h11.Request):
                self._body = _body_of(event, self._most_head)
                self.wanted = self._body is None
            if event is not h11.NEED_DATA:
                return event
            if self.their_state is h11.DONE and self._rest:
                return h11.PAUSED  # the next request waits until this one is answered
            if not self._feed():
                return h11.NEED_DATA

    def send_with_data_passthrough(self, event: h11.Event) -> list[bytes] | None:
        """An answer before its body has come is the last of the connection, and says so: a client
        that kept it for its next request would find it closed."""
        if isinstance(event, h11.Response) and self.owes_body and not self.body_is_there:
            headers = [item for item in event.headers if item[0] != b"connection"]
            event = h11.Response(
                status_code=event.status_code,
                headers=[*headers, (b"connection", b"close")],
                reason=event.reason,
            )
        return super().send_with_data_passthrough(event)

    @property
    def owes_body(self) -> bool:
        return self.their_state is h11.SEND_BODY

    @property
    def waiting(self) -> int:
        """Bytes that have come and are not wanted yet."""
        return len(self._rest)

    @property
    def body_is_there(self) -> bool:
        return self._body is None or self._body.is_in(self._rest)

    def _feed(self) -> bool:
        size = self._head() if self.their_state is h11.IDLE else len(self._rest)
        if not size:
            return False
        if self._body and self.owes_body:
            size, data = self._taken(self._body)
        else:
            data = bytes(self._rest[:size])
        del self._rest[:size]
        if data:
            super().receive_data(data)
        return bool(data)

    def _taken(self, body: "_Sized | _Chunked") -> tuple[int, bytes]:
        try:
            return body.take(self._rest)
        except h11.RemoteProtocolError as error:
            self.complaint = str(error)
            raise

    def _head(self) -> int:
        """Bytes up to the end of a head; all where there is none and never will be."""
        end = _HEAD_END.search(self._rest)
        if self._rest.count(b"\n", 0, end.end() if end else len(self._rest)) > MOST_LINES:
            self.complaint = _LINES
            raise h11.RemoteProtocolError(_LINES)
        if end:
            return end.end()
        hopeless = len(self._rest) > self._most_head or not self._rest[:1].isalpha()
        return len(self._rest) if hopeless else 0


class _Sized:
    """A body of so many bytes."""

    def __init__(self, size: int) -> None:
        self._left = size

    def is_in(self, rest: bytearray) -> bool:
        return len(rest) >= self._left

    def take(self, rest: bytearray) -> tuple[int, bytes]:
        """(how many bytes of `rest` are used up, what h11 gets for them)."""
        size = min(len(rest), self._left)
        self._left -= size
        return size, bytes(rest[:size])


class _Chunked:
    """A body in chunks. What is none is refused here: h11 would look for one in another place."""

    def __init__(self, most_head: int) -> None:
        self._most_head = most_head
        self._left = 0  # bytes of the chunk that has begun
        self._footer = False  # whether the two bytes after a chunk are still to come
        self._trailer = False
        self._chunks = 0
        self._bytes = 0

    def is_in(self, rest: bytearray) -> bool:
        return rest.endswith(b"0\r\n\r\n")

    def take(self, rest: bytearray) -> tuple[int, bytes]:
        if self._trailer:
            return self._end(rest, 0, b"")
        at, pieces = 0, list[bytes]()
        while at < len(rest) and not self._trailer:
            begun = at
            at = self._chunk(rest, at, pieces)
            if at == begun:
                break
            if self._chunks > MOST_TINY and self._bytes < TINY * (self._chunks - 1):
                raise h11.RemoteProtocolError(_TINY)
        whole = b"".join(pieces)
        merged = b"%x\r\n%b\r\n" % (len(whole), whole) if whole else b""
        if self._trailer:
            return self._end(rest, at, merged)
        return at, merged

    def _chunk(self, rest: bytearray, at: int, pieces: list[bytes]) -> int:
        """Take the next part at `at`, if it is whole; where the one after it begins."""
        if self._left:
            data = bytes(rest[at : at + self._left])
            pieces.append(data)
            self._left -= len(data)
            self._bytes += len(data)
            self._footer = not self._left
            return at + len(data)
        if self._footer:
            found = bytes(rest[at : at + 2])
            if not b"\r\n".startswith(found):
                raise h11.RemoteProtocolError("A chunk does not end where it says.")
            self._footer = len(found) < 2
            return at if self._footer else at + 2
        header = _CHUNK.match(rest, at)
        if header is None:
            line = rest[at : at + _LONGEST_LINE]
            if b"\n" in line or len(line) == _LONGEST_LINE:
                raise h11.RemoteProtocolError("A chunk does not begin with its length.")
            return at
        self._left = int(header[1], 16)
        self._trailer = not self._left
        self._chunks += 1
        return at if self._trailer else header.end()

    def _end(self, rest: bytearray, at: int, merged: bytes) -> tuple[int, bytes]:
        """The last chunk, with what trails it, goes as it is."""
        end = _HEAD_END.search(rest, at)
        size = end.end() if end else len(rest) if len(rest) - at > self._most_head else at
        return size, merged + bytes(rest[at:size])


def _body_of(request: h11.Request, most_head: int) -> _Sized | _Chunked | None:
    """None where there is none."""
    for name, value in request.headers:
        if name == b"transfer-encoding":
            return _Chunked(most_head)
        if name == b"content-length" and int(value):
            return _Sized(int(value))
    return None
