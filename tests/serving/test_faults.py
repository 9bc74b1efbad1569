"""What goes wrong with one request in the engine's loop ends that request, and no other."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import WAIT, Heard

from tunewright.errors import BadRequest, Unavailable
from tunewright.generation.generator import Logprob, ModelSpec, Piece, Request
from tunewright.serving import protocol
from tunewright.serving.client import Delta, Done, EngineClient, Failed
from tunewright.serving.server import Server

SPEC = ModelSpec("m", "/m")
LONG_PROMPT = 10_000


class Scripted:
    """A generator whose rows do what the first id of their prompt says."""

    def __init__(self) -> None:
        self.rows: dict[int, Request] = {}

    @property
    def busy(self) -> bool:
        return bool(self.rows)

    def load(self, model: ModelSpec) -> None: ...

    def unload(self, key: str) -> None: ...

    def submit(self, request: Request) -> None:
        if request.prompt[0] == UNSUBMITTABLE:
            raise RuntimeError("out of something")
        self.rows[request.id] = request

    def cancel(self, id: int) -> None:
        row = self.rows.pop(id, None)
        if row is not None and row.prompt[0] == UNCANCELLABLE:
            raise RuntimeError("cannot let go")

    def step(self) -> list[Piece]:
        pieces: list[Piece] = []
        for id, row in list(self.rows.items()):
            if row.prompt[0] == RAISING:
                raise RuntimeError("a step that fails")
            if row.prompt[0] not in (WAITING, UNCANCELLABLE):
                del self.rows[id]
                pieces.append(_piece(id, row.prompt[0]))
        return pieces


WAITING, GOOD, RAISING, UNSUBMITTABLE, UNCANCELLABLE, TOO_LARGE, STRANGE, TOLD = range(8)


def _piece(id: int, kind: int) -> Piece:
    if kind == TOO_LARGE:
        top = [(n, -1.0) for n in range(2_000_000)]
        return Piece(id, [1], "stop", logprobs=[Logprob(1, -0.5, top)])
    if kind == STRANGE:
        return Piece(id, [1], "stop", logprobs=[Logprob(1 << 80, -0.5)])
    prompt = [Logprob(n, -0.5, [(n, -0.5)] * 20) for n in range(LONG_PROMPT)]
    return Piece(id, [1], "stop", prompt=prompt if kind == TOLD else None)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scripted") / "engine.sock"
    server, listener = Server(Scripted()), socket.socket(socket.AF_UNIX)
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


def ask(client: EngineClient, kind: int) -> Heard:
    heard = Heard()
    client.submit(Request(1, SPEC, [kind]), heard)
    return heard


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (RAISING, Unavailable),
        (UNSUBMITTABLE, Unavailable),
        (TOO_LARGE, BadRequest),
        (STRANGE, BadRequest),
    ],
)
def test_a_fault_fails_its_own_request(
    kind: int, error: type[Exception], client: EngineClient
) -> None:
    waiting = ask(client, WAITING)
    bad = ask(client, kind)
    assert bad.ended.wait(WAIT)
    (end,) = bad.ends
    assert isinstance(end, Failed)
    assert isinstance(end.error, error)
    good = ask(client, GOOD)
    assert good.ended.wait(WAIT)
    assert good.ends == [Done("stop")]
    # A step that raises has an unknown number of half-done rows: only there do the others end.
    assert waiting.ended.is_set() == (kind == RAISING)


def test_a_row_that_cannot_be_cancelled_harms_nobody(client: EngineClient) -> None:
    heard = Heard()
    client.submit(Request(1, SPEC, [UNCANCELLABLE]), heard).cancel()
    good = ask(client, GOOD)
    assert good.ended.wait(WAIT)
    assert good.ends == [Done("stop")]


def test_a_prompts_logprobs_come_in_parts_and_are_whole(client: EngineClient) -> None:
    heard = ask(client, TOLD)
    assert heard.ended.wait(WAIT)
    (delta,) = [event for event in heard.events if isinstance(event, Delta)]
    assert [item.token for item in delta.prompt] == [*range(LONG_PROMPT)]
    assert delta.ids == [1]
    assert protocol.LOGPROBS < LONG_PROMPT / 2


def test_what_json_cannot_hold_is_refused_before_it_is_sent(client: EngineClient) -> None:
    for request in (
        Request(1, SPEC, [GOOD], seed=1 << 80),
        Request(1, SPEC, [GOOD], grammar="\ud800"),
        Request(1, SPEC, [GOOD] * 9_000_000),
    ):
        with pytest.raises(BadRequest):
            client.submit(request, Heard())
    assert ask(client, GOOD).ended.wait(WAIT)
