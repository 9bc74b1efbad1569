"""How an answer goes out: in one piece, and read before its connection closes."""

import asyncio
from typing import Any, Protocol

MOST_GATHERED = 64 * 1024


class Gathered:
    """A transport that sends what is written in one turn of the event loop in one piece.

    uvicorn writes head, body and end of an answer one by one, each a system call and a packet.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        if not self._held and data:
            self._loop.call_soon(self._send)
        self._held += data
        # More goes out at once, or a body that is made without a pause would never be paused.
        if len(self._held) > MOST_GATHERED:
            self._send()

    def close(self) -> None:
        self._send()
        self._transport.close()

    def finish(self) -> None:
        """Nothing more is written; what comes is still read."""
        self._send()
        self._transport.write_eof()

    def abort(self) -> None:
        self._held.clear()
        self._transport.abort()

    def _send(self) -> None:
        if self._held:
            held, self._held = self._held, bytearray()
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Lingers(Protocol):
    def lingers(self) -> bool:
        """Whether closing now would come too early."""
        ...

    def linger(self) -> None:
        """Close later."""
        ...


class Lingering(Gathered):
    """Closes for good when the client has had its time to read the answer."""

    def __init__(
        self, transport: asyncio.Transport, protocol: Lingers, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(transport, loop)
        self._protocol: Lingers | None = protocol

    def close(self) -> None:
        if self._protocol and self._protocol.lingers():
            self._protocol.linger()
        else:
            super().close()

    def lost(self) -> None:
        self._protocol = None
