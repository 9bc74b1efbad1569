"""Bytes that are no proper HTTP, or HTTP meant to confuse: refused or closed, never a 5xx, and
never a second request where one was sent."""

import pytest

from servers import Server
from sockets import connect, rest, statuses

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer KEY\r\n"
SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = b'{"model":"text-embedding-ada-002","input":"a"}'
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CLOSE = b"Connection: close\r\n"
CLIENT_HELLO = bytes.fromhex("16030100a5010000a10303") + bytes(range(160))

# name, what is sent, the answers that come (b"" where the connection is just closed)
CASES: list[tuple[str, bytes, list[int]]] = [
    ("a head of 40 KiB", GET + b"X: " + b"a" * 40_000 + b"\r\n\r\n", [400]),
    ("a URL of 40 KiB", b"GET /" + b"a" * 400_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", [400]),
    ("10,000 headers", GET + b"X: y\r\n" * 10_000 + b"\r\n", [400]),
    ("two lengths", POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + BODY, [400]),
    ("a negative length", POST + b"Content-Length: -1\r\n\r\n", [400]),
    ("a length of 40 digits", POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", [400]),
    ("more than is taken", POST + CLOSE + b"Content-Length: 99999999999\r\n\r\n", [413]),
    (
        "length and chunks",
        POST + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + SMUGGLED,
        [400],
    ),
    (
        "chunks and length",
        POST + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
        [400],
    ),
    ("an encoding in disguise", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", [400]),
    ("chunked twice", POST + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n", [400]),
    ("a space before the colon", GET + b"Content-Length : 5\r\n\r\n", [400]),
    ("a folded encoding", POST + b"Transfer-Encoding:\r\n chunked\r\n\r\nzz\r\n", [400]),
    ("a chunk of no length", POST + CHUNKED + b"\r\nzz\r\n\r\n", [400]),
    ("a chunk of 2**70", POST + CHUNKED + b"\r\n" + b"f" * 30 + b"\r\n", [400]),
    ("a NUL in a header", GET + b"X: a\x00b\r\n\r\n", [400]),
    ("no Host", b"GET /healthz HTTP/1.1\r\n\r\n", [400]),
    ("two Hosts", GET + b"Host: localhost\r\n\r\n", [400]),
    ("HTTP/0.9", b"GET /healthz\r\n\r\n", [400]),
    ("HTTP/1.0", b"GET /healthz HTTP/1.0\r\n\r\n", [200]),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [401, 400]),
    ("TLS", CLIENT_HELLO + b"\r\n\r\n", [400]),
    ("a star", b"GET * HTTP/1.1\r\nHost: localhost\r\n" + CLOSE + b"\r\n", [401]),
    ("a whole URL", b"GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n" + CLOSE + b"\r\n", [401]),
    ("CONNECT", b"CONNECT evil:443 HTTP/1.1\r\nHost: localhost\r\n" + CLOSE + b"\r\n", [401]),
    ("a raw byte in the path", b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", [400]),
    ("an upgrade", GET + b"Connection: upgrade, close\r\nUpgrade: websocket\r\n\r\n", [200]),
    ("two requests in one", (GET + b"\r\n") + GET + CLOSE + b"\r\n", [200, 200]),
    (
        "a post and a get in one",
        POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY + GET + CLOSE + b"\r\n",
        [200, 200],
    ),
    (
        "a good body in chunks of one byte",
        POST
        + CLOSE
        + CHUNKED
        + b"\r\n"
        + b"".join(b"1\r\n%c\r\n" % c for c in BODY)
        + b"0\r\n\r\n",
        [200],
    ),
]


@pytest.mark.parametrize(
    ("sent", "answers"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_odd_bytes(server: Server, sent: bytes, answers: list[int]) -> None:
    connection = connect(server)
    connection.sendall(sent.replace(b"KEY", server.key.encode()))
    received = rest(connection)
    assert statuses(received) == answers, received


def test_a_body_that_ends_early_is_nobodys(server: Server) -> None:
    connection = connect(server)
    connection.sendall(POST.replace(b"KEY", server.key.encode()) + b"Content-Length: 99\r\n\r\n{")
    connection.close()
    assert server.http.get("/models").status_code == 200
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8311", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8311", 200),
        ("10.1.2.3", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:8311", 421),
        ("", 421),
    ],
)
def test_only_names_of_ours(server: Server, host: str, status: int) -> None:
    """A name that was rebound to this machine is refused before the key is looked at."""
    answer = server.http.get("/models", headers={"host": host})
    assert answer.status_code == status
    if status == 421:
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert answer.headers["x-should-retry"] == "false"


def test_no_other_origin_is_let_in(server: Server) -> None:
    evil = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for method in ("GET", "OPTIONS"):
        answer = server.http.request(method, "/models", headers=evil)
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert server.http.request("OPTIONS", "/models", headers=evil).status_code == 405
