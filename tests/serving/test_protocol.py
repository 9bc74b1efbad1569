"""Frames and what they carry."""

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tunewright.errors import (
    BadRequest,
    Busy,
    Corrupt,
    MissingExtra,
    NotFound,
    TunewrightError,
    Unavailable,
)
from tunewright.generation.generator import ModelSpec, Request
from tunewright.serving import protocol
from tunewright.serving.protocol import ProtocolError, pack, receive

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, two = socket.socketpair()
    with one, two:
        two.settimeout(5)
        yield one, two


def test_messages_arrive_as_they_were_sent_however_they_are_cut(pair: Pair) -> None:
    messages = [{"op": "delta", "id": 1, "ids": [1, 2]}, {"op": "x", "text": "żó\n"}, {"op": ""}]
    for byte in b"".join(map(pack, messages)):
        pair[0].send(bytes([byte]))
    pair[0].close()
    assert [receive(pair[1]) for _ in range(4)] == [*messages, None]


@pytest.mark.parametrize("shape", [(1, 1), (700, 384), (3, protocol.DIMENSIONS)])
def test_vectors_arrive_as_they_were_sent_in_frames_of_bounded_length(
    shape: tuple[int, int], pair: Pair
) -> None:
    rows = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    places = [*range(5, 5 + len(rows))]
    frames = [*protocol.vector_frames(2**40, places, rows)]
    assert all(len(frame) <= protocol.VECTOR_BYTES + 300_000 for frame in frames)
    sending = threading.Thread(
        target=pair[0].sendall, args=(b"".join([*frames, pack({"op": ""})]),)
    )
    sending.start()
    found = [receive(pair[1]) or {} for _ in frames]
    assert {message["op"] for message in found} == {"vectors"}
    assert {message["id"] for message in found} == {2**40}
    assert np.concatenate([message["places"] for message in found]).tolist() == places
    np.testing.assert_array_equal(np.concatenate([message["rows"] for message in found]), rows)
    assert receive(pair[1]) == {"op": ""}
    sending.join()


def test_vectors_of_too_many_components_are_not_sent() -> None:
    rows = np.ones((1, protocol.DIMENSIONS + 1), np.float32)
    with pytest.raises(BadRequest, match="components"):
        next(protocol.vector_frames(1, [0], rows))


def binary(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", 1 << 31 | len(header) + len(body)) + header + body


def test_a_request_survives_the_way() -> None:
    spec = ModelSpec("ft:m", "/base", "/adapter", "abc")
    for request in (
        Request(
            7,
            spec,
            [1, 2],
            5,
            temperature=0.5,
            top_p=0.9,
            min_p=0.05,
            seed=-3,
            stop_ids=frozenset({2, 9}),
        ),
        Request(7, spec, [1], forced=[3]),
        Request(7, spec, [1], logprobs=2, logit_bias={5: -1.5}, grammar="{}"),
    ):
        assert protocol.request_from(7, protocol.request_fields(request)) == request


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I", protocol.FRAME_LIMIT + 1),
        b"\xff\xff\xff\xff" + b"x" * 10,
        struct.pack(">I", 2) + b"[]",
        struct.pack(">I", 2) + b"{}",
        struct.pack(">I", 9) + b"{'op': 1}",
        struct.pack(">I", 1) + b"\xff",
        struct.pack(">I", 100) + b'{"op',
        b"\x00\x00",
        struct.pack(">I", 1 << 31 | protocol.FRAME_LIMIT + 1),
        struct.pack(">I", 1 << 31),
        struct.pack(">I", 1 << 31 | 100) + b"cut off",
        binary(b"short"),
        binary(struct.pack(">QII", 1, 0, 4)),  # no rows
        binary(struct.pack(">QII", 1, 4, 0), b"\0" * 16),  # of nothing
        binary(struct.pack(">QII", 1, 1, 1), b"\0" * 9),  # a byte too much
        binary(struct.pack(">QII", 1, 2**31, 2**31), b"\0" * 8),  # its product wraps in 64 bits
        binary(struct.pack(">QII", 1, 2**32 - 1, 2**32 - 1)),
        binary(struct.pack(">QII", 1, 1, 2**17), b"\0" * (4 + 2**19)),  # too wide
        binary(b'{"op":"ok","id":1,"x":"0"}'),
    ],
)
def test_what_is_no_frame_is_refused(data: bytes, pair: Pair) -> None:
    def send() -> None:  # some are more than a socket holds
        pair[0].sendall(data)
        pair[0].shutdown(socket.SHUT_WR)

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    with pytest.raises(ProtocolError):
        receive(pair[1])
    sending.join(5)


def test_a_message_too_long_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "FRAME_LIMIT", 100)
    with pytest.raises(BadRequest):
        pack({"op": "x" * 100})


@pytest.mark.parametrize(
    "error",
    [
        BadRequest("too long", param="messages", code="context_length_exceeded"),
        NotFound("no model"),
        Busy("later"),
        Corrupt("bits"),
        Unavailable("gone"),
        MissingExtra("Generating", "train"),
        TunewrightError("odd"),
    ],
)
def test_errors_arrive_as_they_were_raised(error: TunewrightError) -> None:
    found = protocol.error_from(protocol.error_fields(error))
    assert type(found) is type(error)
    assert found.body() == error.body()
    assert str(found) == str(error)


def test_an_error_is_told_whatever_its_message_holds() -> None:
    fields = protocol.error_fields(Corrupt("/models/\udcff is broken"))
    assert pack({"op": "error", "id": 1, **fields})
    assert "is broken" in protocol.error_from(fields).message


@pytest.mark.parametrize("name", ["Exception", "os", "annotations", "ClassVar", None, "nonsense"])
def test_a_name_that_is_no_error_of_ours_becomes_unavailable(name: object) -> None:
    assert type(protocol.error_from({"name": name, "message": "m"})) is Unavailable


def test_a_path_too_long_for_a_socket_works_all_the_same(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 150)
    directory.mkdir()
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        with protocol.address(directory / "s") as name:
            listener.bind(name)
            listener.listen()
            client.connect(name)
        assert (directory / "s").exists()
