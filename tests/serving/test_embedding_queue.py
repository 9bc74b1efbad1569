"""Embeddings beside a generator: the queue of the engine, with encoders that do as they are told.

`test_torch_embeddings` has the real ones, in a real engine.
"""

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from engines import WAIT, Heard
from test_faults import GOOD, SPEC, WAITING, Scripted

from tunewright.embedding.embedder import Declared
from tunewright.embedding.encoder import Source
from tunewright.embedding.scheduler import Scheduler
from tunewright.embedding.texts import OfTokens
from tunewright.errors import BadRequest, Busy, NotFound, TunewrightError, Unavailable
from tunewright.generation.generator import Request
from tunewright.serving import embedding_queue, protocol, remote
from tunewright.serving.client import Done, EngineClient
from tunewright.serving.protocol import pack, receive
from tunewright.serving.remote import EngineEncoder
from tunewright.serving.server import Server

RAISING, UNREADABLE, HELD, WIDE = range(1, 5)
DIMENSIONS = 3


class Vectors:
    """One batch for each input; a vector is the input's sum, its length and what is skipped."""

    def __init__(self, told: "Told", source: Source) -> None:
        self._told, self._source = told, source

    def batches(self, inputs: Sequence[Sequence[int]]) -> list[list[int]]:
        if any(UNREADABLE in ids for ids in inputs):
            raise BadRequest("it cannot be read", param="input")
        return [[place] for place in range(len(inputs))]

    def encode(
        self, inputs: Sequence[Sequence[int]], skips: Sequence[int], *, alone: bool
    ) -> np.ndarray:
        self._told.alone.append(alone)
        self._told.computed.append((self._source.directory, *inputs[0]))
        if RAISING in inputs[0]:
            raise RuntimeError("a kernel failed")
        if HELD in inputs[0]:
            self._told.held.set()
            gone_on = self._told.go_on.wait(WAIT)
            self._told.released.set()
            assert gone_on
        if WIDE in inputs[0]:
            return np.ones((len(inputs), 60_000), np.float32)
        skipped = skips or [0] * len(inputs)
        rows = [[sum(ids), len(ids), skip] for ids, skip in zip(inputs, skipped, strict=True)]
        return np.array(rows, np.float32)


class Told:
    """Encoders with room for one model."""

    def __init__(self) -> None:
        self.computed: list[tuple] = []
        self.loaded: list[str] = []
        self.alone: list[bool] = []
        self.held, self.go_on, self.released, self.rested = (threading.Event() for _ in range(4))

    def fits(self, source: Source) -> bool:
        return not self.loaded

    def holds(self, source: Source) -> bool:
        return self.loaded[-1:] == [source.directory]

    def load(self, source: Source) -> Vectors:
        if source.directory == "nowhere":
            raise NotFound("There is no model in nowhere.")
        if not self.holds(source):
            self.loaded.append(source.directory)
        return Vectors(self, source)

    def rest(self) -> None:
        self.rested.set()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def path(told: Told, tmp_path: Path) -> Path:
    path = tmp_path / "engine.sock"
    server, listener = Server(Scripted(), lambda: told), socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    for target, args in ((server.accept, (listener,)), (server.run, ())):
        threading.Thread(target=target, args=args, daemon=True).start()
    return path


@pytest.fixture
def client(path: Path) -> Iterator[EngineClient]:
    client = EngineClient(path, seconds=60)
    yield client
    client.close()


def source(name: str = "m") -> Source:
    return Source(name, "f")


class Messages:
    """What one call is told; `end` once it is over."""

    def __init__(self) -> None:
        self.all: list[protocol.Message | TunewrightError] = []
        self.ended = threading.Event()

    def __call__(self, message: protocol.Message | TunewrightError) -> None:
        self.all.append(message)
        if isinstance(message, TunewrightError) or message["op"] == "ok":
            self.ended.set()

    @property
    def end(self) -> protocol.Message | TunewrightError:
        assert self.ended.wait(WAIT)
        return self.all[-1]


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_each_input_gets_its_own_row_in_its_place(
    client: EngineClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_TOKENS", 100)  # several calls
    inputs = [[n, 10] * (1 + n % 5) for n in range(20, 120)]
    found = EngineEncoder(client).encode(source(), inputs, [*range(100)])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(
        found, [[sum(ids), len(ids), at] for at, ids in enumerate(inputs)]
    )
    assert EngineEncoder(client).encode(source(), []).shape == (0, 0)


def test_a_fault_fails_its_own_call_and_no_other(client: EngineClient, told: Told) -> None:
    encoder = EngineEncoder(client)
    with pytest.raises(Unavailable, match="a kernel failed"):
        encoder.encode(source(), [[10], [RAISING]])
    with pytest.raises(BadRequest, match="cannot be read") as refused:
        encoder.encode(source(), [[10], [UNREADABLE]])
    assert refused.value.param == "input"
    with pytest.raises(NotFound):
        encoder.encode(source("nowhere"), [[10]])
    assert encoder.encode(source(), [[10]]).tolist() == [[10, 1, 0]]
    assert told.rested.wait(WAIT)  # afterwards memory is given back


def test_a_cancelled_call_ends_within_its_batch_and_the_generator_goes_on_meanwhile(
    client: EngineClient, told: Told
) -> None:
    heard = Messages()
    handle = client.embed(source(), [[20]] * 50 + [[HELD]], heard)  # the last batch comes first
    assert told.held.wait(WAIT)
    generated = Heard()
    client.submit(Request(1, SPEC, [GOOD]), generated)
    assert generated.ended.wait(WAIT)
    assert generated.ends == [Done("stop")]
    handle.cancel()
    client.ping()  # the engine has read the cancel
    told.go_on.set()
    assert EngineEncoder(client).encode(source(), [[10]]).tolist() == [[10, 1, 0]]
    assert told.computed == [("m", HELD), ("m", 10)]
    assert heard.all == []


def test_what_is_closed_waits_for_nothing_and_asks_for_nothing_more(
    client: EngineClient, told: Told
) -> None:
    """A server that stops does not wait for an engine that computes, loads or hangs."""
    encoder = EngineEncoder(client)
    scheduler = Scheduler(10**6, abort=encoder.close)
    embedder = Asking(encoder)
    waiting = [scheduler.submit("a", embedder, [[HELD, n]]) for n in range(10, 14)]
    assert told.held.wait(WAIT)
    scheduler.close()  # joins its threads
    assert not told.released.is_set()
    for future in waiting:
        with pytest.raises(Unavailable):
            future.result(0)
    with pytest.raises(Unavailable, match="shutting down"):
        encoder.encode(source(), [[10]])
    told.go_on.set()


class Asking(OfTokens):
    """An embedder of ids alone."""

    vocabulary, unknown = 100, None

    def __init__(self, encoder: EngineEncoder) -> None:
        super().__init__(Declared(DIMENSIONS))
        self._encoder = encoder

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        raise NotImplementedError

    def spelled(self, inputs: Sequence[Sequence[int]]) -> list[str]:
        raise NotImplementedError

    def embed_tokens(self, batch: Sequence[Sequence[int]]) -> np.ndarray:
        return self._encoder.encode(source(), batch)


def test_while_the_generator_works_not_all_processors_are_taken(
    client: EngineClient, told: Told
) -> None:
    encoder = EngineEncoder(client)
    encoder.encode(source(), [[10]])
    handle = client.submit(Request(1, SPEC, [WAITING]), Heard())
    client.ping()
    encoder.encode(source(), [[10]])
    handle.cancel()
    client.ping()
    until(lambda: encoder.encode(source(), [[10]]) is not None and told.alone[-1])
    assert told.alone[:2] == [True, False]


def test_calls_take_turns_a_batch_each(client: EngineClient, told: Told) -> None:
    first, long, short = Messages(), Messages(), Messages()
    client.embed(source(), [[HELD]], first)
    assert told.held.wait(WAIT)
    client.embed(source(), [[20]] * 9, long)
    client.embed(source(), [[30]], short)
    client.ping()
    told.go_on.set()
    assert isinstance(long.end, dict)
    assert isinstance(short.end, dict)
    assert told.computed.index(("m", 30)) == 2


def test_a_deadline_ends_a_call_between_its_batches(client: EngineClient, told: Told) -> None:
    heard = Messages()
    client.embed(source(), [[20], [HELD]], heard, seconds=0.05)
    assert told.held.wait(WAIT)
    time.sleep(0.1)
    told.go_on.set()
    assert isinstance(heard.end, Unavailable)
    assert "time" in heard.end.message
    assert told.computed == [("m", HELD)]


def test_models_that_take_each_others_place_stay_a_while(
    client: EngineClient, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_queue, "SLICE_SECONDS", 60.0)
    calls = [Messages() for _ in range(3)]
    client.embed(source("a"), [[20]] * 5 + [[HELD]], calls[0])
    assert told.held.wait(WAIT)
    client.embed(source("b"), [[20]] * 5, calls[1])
    client.embed(source("a"), [[30]], calls[2])
    client.ping()
    told.go_on.set()
    for call in calls:
        assert isinstance(call.end, dict)
    assert told.loaded == ["a", "b"]


def test_no_more_is_taken_than_the_engine_has_room_for(
    client: EngineClient, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_queue, "OPEN_TOKENS", 100)
    first = Messages()
    client.embed(source(), [[HELD] * 200], first)  # alone, any size is taken
    assert told.held.wait(WAIT)
    with pytest.raises(Busy):
        EngineEncoder(client).encode(source(), [[10]])
    told.go_on.set()
    assert isinstance(first.end, dict)
    assert EngineEncoder(client).encode(source(), [[10]]).tolist() == [[10, 1, 0]]


def raw(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(WAIT)
    sock.connect(str(path))
    return sock


def asked(inputs: object, **fields: object) -> protocol.Message:
    message: protocol.Message = {"op": "embed", "id": 1, "seconds": 60.0, "skips": []}
    return {**message, "source": vars(source()), "inputs": inputs, **fields}


def test_for_a_client_that_does_not_read_nothing_more_is_computed(
    path: Path, client: EngineClient, told: Told
) -> None:
    with raw(path) as deaf:
        deaf.sendall(pack(asked([[WIDE]] * 150)))  # 36 MB of vectors
        until(lambda: told.computed)
        for _ in range(20):  # the others go on, and it is not their batches that count
            EngineEncoder(client).encode(source(), [[10]])
        until(lambda: _settled(told))
        most = embedding_queue.UNREAD / 240_000 + 5
        assert told.computed.count(("m", WIDE)) <= most
        places = set()
        while len(places) < 150:  # it reads after all, and gets everything
            message = receive(deaf)
            assert message is not None
            places |= {*message["places"].tolist()}
        assert receive(deaf) == {"op": "ok", "id": 1}


def _settled(told: Told) -> bool:
    before = len(told.computed)
    time.sleep(0.2)
    return len(told.computed) == before


def test_a_client_that_leaves_takes_its_calls_along(
    path: Path, client: EngineClient, told: Told
) -> None:
    with raw(path) as leaving:
        leaving.sendall(pack(asked([[20]] * 50 + [[HELD]])))
        assert told.held.wait(WAIT)
    time.sleep(0.2)
    told.go_on.set()
    EngineEncoder(client).encode(source(), [[10]])
    assert told.computed == [("m", HELD), ("m", 10)]


@pytest.mark.parametrize(
    "message",
    [
        asked([[1.5]]),
        asked([["1"]]),
        asked([[True]]),
        asked([[]]),
        asked(["ab"]),
        asked({}),
        asked({"a": [1]}),
        asked(5),
        asked([[1]], source={"directory": 5}),
        asked([[1]], source={"path": "/etc"}),
        asked([[1]], source=None),
        asked([[1]], skips=[-1]),
        asked([[1]], skips=[1, 1]),
        asked([[1]], id="x"),
        asked([[1]], id=-3),
        asked([[1]], seconds="soon"),
        asked([[1]], seconds=None),
        {"op": "embed", "id": 1},
        {"op": "vectors", "id": 1},
    ],
)
def test_what_is_no_call_ends_its_connection_and_no_other(
    message: protocol.Message, path: Path, client: EngineClient, told: Told
) -> None:
    with raw(path) as hostile:
        hostile.sendall(pack(message))
        assert receive(hostile) is None
    assert EngineEncoder(client).encode(source(), [[10]]).tolist() == [[10, 1, 0]]
    assert told.computed == [("m", 10)]


def test_an_engine_that_gives_other_vectors_is_not_believed(tmp_path: Path) -> None:
    """Whatever the frames say, `encode` ends with an error of ours and without much memory."""
    path = tmp_path / "forged.sock"
    rows = np.ones((2, 4), np.float32)
    answers = [
        [],  # no rows at all
        [*protocol.vector_frames(1, [0, 1], rows)],  # one is missing
        [*protocol.vector_frames(1, [0, 7], rows)],  # there is no such input
        [*protocol.vector_frames(1, [0, 1], rows), *protocol.vector_frames(1, [2], rows[:1, :2])],
    ]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        for frames in answers:
            client = EngineClient(path, seconds=WAIT)
            threading.Thread(target=_answer, args=(listener, frames), daemon=True).start()
            with pytest.raises(Unavailable, match="other vectors"):
                EngineEncoder(client).encode(source(), [[1], [2], [3]])
            client.close()


def _answer(listener: socket.socket, frames: list[bytes]) -> None:
    sock, _ = listener.accept()
    with sock, contextlib.suppress(OSError):
        receive(sock)
        sock.sendall(b"".join(frames) + pack({"op": "ok", "id": 1}))
        sock.recv(1)


def test_random_bytes_after_any_header_never_hang_or_grow(path: Path, client: EngineClient) -> None:
    """Both sides read with `receive`: the engine here, the client's side in test_protocol."""
    for marked in (0x80000000, 0x80000010, 0xFFFFFFFF, 0x81000000, 0x80000001):
        with raw(path) as hostile:
            with contextlib.suppress(OSError):
                hostile.sendall(struct.pack(">I", marked) + os.urandom(64))
                hostile.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                assert hostile.recv(1) == b""
    assert EngineEncoder(client).encode(source(), [[10]]).tolist() == [[10, 1, 0]]
