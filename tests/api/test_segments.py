"""An answer is one packet, and no answer waits for the client to acknowledge an earlier one."""

import socket
import struct
from collections.abc import Iterator

import orjson
import pytest

from servers import Server
from sockets import connect
from tunewright.api.server import _bind

TCP_INFO_BYTES, DATA_SEGMENTS_IN = 256, 152  # of Linux's struct tcp_info


@pytest.fixture
def kept(server: Server) -> Iterator[socket.socket]:
    with connect(server) as connection:
        yield connection


def ask(
    connection: socket.socket, server: Server, method: str, path: str, body: object = None
) -> tuple[bytes, int]:
    """An answer with a length, and in how many packets it came."""
    data = b"" if body is None else orjson.dumps(body)
    before, answer = segments(connection), b""
    connection.sendall(
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.key}\r\n"
        f"Content-Length: {len(data)}\r\n\r\n".encode()
        + data
    )
    while not whole(answer):
        answer += connection.recv(1 << 16)
    return answer, segments(connection) - before


def whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        return body.endswith(b"\r\n0\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return bool(end) and len(body) == int(length)


def segments(connection: socket.socket) -> int:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
    return struct.unpack_from("I", info, DATA_SEGMENTS_IN)[0]


CHAT = {"model": "gpt-3.5-turbo", "max_tokens": 1, "messages": [{"role": "user", "content": "a"}]}
ASKED = [
    ("GET", "/v1/models/gpt-3.5-turbo", None, b"200"),
    ("GET", "/v1/models", None, b"200"),
    ("POST", "/v1/embeddings", {"model": "text-embedding-ada-002", "input": "a"}, b"200"),
    ("POST", "/v1/chat/completions", CHAT, b"200"),
    ("GET", "/v1/files/file-none", None, b"404"),
    ("POST", "/v1/chat/completions", {"model": "gpt-3.5-turbo"}, b"400"),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), ASKED)
def test_head_and_body_are_one_packet(
    server: Server, kept: socket.socket, method: str, path: str, body: object, status: bytes
) -> None:
    for _ in range(2):  # the second on a connection that is kept
        answer, packets = ask(kept, server, method, path, body)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert packets == 1


def test_a_stream_brings_one_packet_an_event_at_most(server: Server, kept: socket.socket) -> None:
    answer, packets = ask(kept, server, "POST", "/v1/chat/completions", {**CHAT, "stream": True})
    assert answer.count(b"data: ") == 4  # the role, the token, its end, [DONE]
    assert packets <= 3


def test_accepted_connections_wait_for_no_acknowledgement() -> None:
    with _bind("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.proto == socket.IPPROTO_TCP  # what asyncio looks at
