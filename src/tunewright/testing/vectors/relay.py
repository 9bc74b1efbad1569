"""A relay to a server, which behaves badly when it is told to."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

Way: TypeAlias = Literal["on", "silent", "slow", "reset", "down"]


class Relay:
    """way: passed on; taken, and never answered; answered by one byte a second; cut off. What
    stands for a server that is down is closed."""

    def __init__(self, host: str, port: int) -> None:
        self.way: Way = "on"
        self._above = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = {self._listener}
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                above = socket.create_connection(self._above)
                self._open |= {client, above}
                for way in ((client, above, False), (above, client, True)):
                    threading.Thread(target=self._pass, args=way, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if self.way == "reset":
                    self._reset(source if not answers else target)
                    return
                if self.way == "slow" and answers:
                    threading.Event().wait(1)
                    target.sendall(piece[:1])
                elif self.way == "on":
                    target.sendall(piece)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _reset(self, client: socket.socket) -> None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()

    def close(self) -> None:
        """The server is down."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def relay(host: str, port: int) -> Iterator[Relay]:
    made = Relay(host, port)
    try:
        yield made
    finally:
        made.close()
