"""HTTP by hand: bytes to a server, and what comes back."""

import contextlib
import socket

from servers import Server


def connect(server: Server) -> socket.socket:
    host, port = server.root_url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def rest(connection: socket.socket) -> bytes:
    """Everything until the server closes; b"" after a reset. Fails if it stays open."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            received += piece
    return received


def statuses(answer: bytes) -> list[int]:
    """The status of each answer in a row of them."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
