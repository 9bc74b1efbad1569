"""Clients that hold a connection and send or read next to nothing. Others are served meanwhile."""

import socket
import time
from collections.abc import Iterator

import psutil
import pytest

from servers import Server, start_server
from sockets import connect, rest, statuses

HALF_HEAD = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Filler: "


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start_server(
        tmp_path_factory.mktemp("slow") / "home",
        TUNEWRIGHT_HEAD_SECONDS="1.5",
        TUNEWRIGHT_BODY_SECONDS="1",
        TUNEWRIGHT_BODY_RATE="1000",
        TUNEWRIGHT_WRITE_SECONDS="1",
        TUNEWRIGHT_IDLE_SECONDS="1",
        TUNEWRIGHT_PEER_CONNECTIONS="100",
    )
    yield running
    running.stop()


def head(server: Server, path: str, length: int, more: str = "") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.key}\r\n"
        f"Content-Length: {length}\r\n{more}\r\n"
    ).encode()


def test_half_heads_are_closed(server: Server) -> None:
    crowd = [connect(server) for _ in range(60)]
    for connection in crowd[:40]:
        connection.sendall(HALF_HEAD)
    assert server.http.get("/models").status_code == 200
    answers = [rest(connection) for connection in crowd]
    assert [statuses(answer) for answer in answers] == [[408]] * 60
    assert b'"type":"invalid_request_error"' in answers[0]


def test_a_head_that_grows_by_bytes_is_closed(server: Server) -> None:
    """Each byte is a sign of life; the clock runs for the head as a whole."""
    connection = connect(server)
    connection.sendall(HALF_HEAD)
    sent = drip(connection.sendall)
    assert sent < 200
    assert statuses(rest(connection)) in ([408], [])


def drip(send, most: int = 200) -> int:
    """A byte every 50 ms until the other side has closed; how many went."""
    for sent in range(most):
        try:
            send(b"a")
        except ConnectionError:
            return sent
        time.sleep(0.05)
    return most


def test_the_second_head_of_a_connection_too(server: Server) -> None:
    connection = connect(server)
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + HALF_HEAD)
    assert statuses(rest(connection)) in ([200], [200, 408])
    connection = connect(server)
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    connection.sendall(HALF_HEAD)
    assert statuses(rest(connection)) == [408]


def test_slow_bodies_are_closed(server: Server) -> None:
    crowd = [connect(server) for _ in range(20)]
    for connection in crowd:
        connection.sendall(head(server, "/v1/embeddings", 10_000) + b"{")
    assert server.http.get("/models").status_code == 200
    for connection in crowd:
        assert statuses(rest(connection)) == [408]
    connection = connect(server)
    connection.sendall(head(server, "/v1/embeddings", 10_000))
    assert drip(connection.sendall) < 200


def test_a_body_that_nobody_reads_is_closed(server: Server) -> None:
    """The answer (a wrong key) is there at once; the body goes on and on."""
    connection = connect(server)
    wrong = head(server, "/v1/files", 10**9).replace(b"sk-tw-", b"sk-no-")
    connection.sendall(wrong)
    assert statuses(connection.recv(65536)) == [401]
    assert drip(lambda data: connection.sendall(data * 1000)) < 200


def test_a_slow_but_steady_upload_passes(server: Server) -> None:
    """Three seconds, so three windows, each well above the least rate."""
    line = b"x" * 999 + b"\n"
    form = (
        b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    )
    end = b"\r\n--b--\r\n"
    length = len(form) + 60 * len(line) + len(end)
    kind = "Content-Type: multipart/form-data; boundary=b\r\nConnection: close\r\n"
    connection = connect(server)
    connection.sendall(head(server, "/v1/files", length, kind) + form)
    for _ in range(60):
        connection.sendall(line)
        time.sleep(0.05)
    connection.sendall(end)
    answer = rest(connection)
    assert statuses(answer) == [200]
    assert b'"bytes":60000' in answer


def test_an_answer_that_nobody_reads_is_dropped(server: Server) -> None:
    id = server.upload(b"x" * 30_000_000)
    connection = connect(server)
    get = head(server, f"/v1/files/{id}/content", 0).replace(b"POST", b"GET")
    connection.sendall(get)
    # Before it has begun to answer, the server may not hold the connection yet.
    assert connection.recv(1, socket.MSG_PEEK)
    port = connection.getsockname()[1]
    wait_until_gone(server, port)
    assert len(rest(connection)) < 30_000_000


def wait_until_gone(server: Server, port: int) -> None:
    for _ in range(300):
        here = psutil.Process(server.process.pid).net_connections("tcp")
        if not any(c.raddr and c.raddr.port == port for c in here):
            return
        time.sleep(0.1)
    raise AssertionError("the server still holds the connection")


def test_idle_connections_are_closed(server: Server) -> None:
    connection = connect(server)
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert statuses(rest(connection)) == [200]


def test_one_address_gets_so_many_connections(server: Server) -> None:
    crowd = [connect(server) for _ in range(110)]
    for connection in crowd:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answers = [rest(connection) for connection in crowd]
    codes = [statuses(answer) for answer in answers]
    assert codes.count([200]) >= 90
    assert codes.count([429]) >= 10
    assert all(b"retry-after: 1" in a for a in answers if statuses(a) == [429])
    assert server.http.get("/models").status_code == 200, "those that left do not count"
