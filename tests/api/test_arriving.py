"""What h11 is handed, whatever the pieces in which a request comes."""

import random

import h11
import pytest

from tunewright.api.arriving import Arriving

HEAD = b"POST /%d HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = [
    b"5\r\nhello\r\n" + b"1\r\n \r\n" * 40 + b"0\r\n\r\n",
    b"A;name=value\r\n0123456789\r\n0\r\n\r\n",
    b"3\r\na\r\n\r\n0\r\nTrailer: some\r\nOther: one\r\n\r\n",
    b"0\r\n\r\n",
]
REQUESTS = [
    HEAD % 1 + b"\r\n",
    HEAD % 2 + b"Content-Length: 12\r\n\r\nfirst\r\n\r\nend",
    HEAD % 3 + b"Content-Length: 0\r\n\r\n",
    *(HEAD % (4 + at) + CHUNKED + chunks for at, chunks in enumerate(CHUNKS)),
]
BROKEN = [
    b"5\r\nhelloxx0\r\n\r\n",
    b"5\r\nhello5\r\nhello0\r\n\r\n",
    b"1\r\nab\r\n0\r\n\r\n",
    b"zz\r\n",
    b"-1\r\n",
    b"fffffffffffffffffffff\r\n",
    b"1\r\n \r\n" * 1100,
]


def heard(connection: h11.Connection, pieces: list[bytes]) -> list[tuple[bytes, bytes]]:
    """The target and body of each request; each is answered as soon as it is whole."""
    found: list[tuple[bytes, bytes]] = []
    for piece in pieces:
        connection.receive_data(piece)
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                found.append((event.target, b""))
                if isinstance(connection, Arriving):
                    connection.wanted = True
            elif isinstance(event, h11.Data):
                found[-1] = found[-1][0], found[-1][1] + event.data
            elif isinstance(event, h11.EndOfMessage):
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                connection.start_next_cycle()
            else:
                break
    return found


def test_any_pieces_give_what_h11_gives() -> None:
    chosen = random.Random(7)
    for _ in range(300):
        sent = b"".join(chosen.choices(REQUESTS, k=4))
        cuts = sorted(chosen.sample(range(len(sent)), k=chosen.choice((0, 1, 3, 20))))
        pieces = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
        pieces = [piece for piece in pieces if piece]
        plain = heard(h11.Connection(h11.SERVER), [sent])
        assert heard(Arriving(32768), pieces) == plain


@pytest.mark.parametrize("chunks", BROKEN, ids=lambda chunks: repr(chunks[:20]))
def test_what_is_no_chunk_is_refused(chunks: bytes) -> None:
    for size in (1, 7, 10_000):
        sent = HEAD % 1 + CHUNKED + chunks
        pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
        with pytest.raises(h11.RemoteProtocolError):
            heard(Arriving(32768), pieces)


def test_a_body_waits_until_it_is_wanted() -> None:
    connection = Arriving(32768)
    connection.receive_data(REQUESTS[1] + REQUESTS[0])
    assert isinstance(connection.next_event(), h11.Request)
    assert connection.next_event() is h11.NEED_DATA
    assert connection.owes_body
    assert connection.body_is_there
    connection.wanted = True
    event = connection.next_event()
    assert isinstance(event, h11.Data)
    assert event.data == b"first\r\n\r\nend"
    assert isinstance(connection.next_event(), h11.EndOfMessage)
    assert connection.next_event() is h11.PAUSED, "the next request waits for the answer"


@pytest.mark.parametrize("body", [b"", b"ab", b"abc"])
def test_an_answer_before_its_body_says_that_it_is_the_last(body: bytes) -> None:
    connection = Arriving(1024)
    connection.receive_data(HEAD % 1 + b"Content-Length: 3\r\n\r\n" + body)
    assert isinstance(connection.next_event(), h11.Request)
    answer = connection.send(h11.Response(status_code=429, headers=[("content-length", "0")]))
    assert answer is not None
    assert (b"connection: close" in answer.lower()) == (len(body) < 3)


def test_a_head_of_many_lines_is_refused_before_it_is_parsed() -> None:
    connection = Arriving(32 * 1024)
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 255 + b"\r\n")
    with pytest.raises(h11.RemoteProtocolError, match="more than 256 lines"):
        connection.next_event()
    allowed = Arriving(32 * 1024)
    allowed.receive_data(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 250 + b"\r\n")
    assert isinstance(allowed.next_event(), h11.Request)
