"""The engine as a process: what it promises to clients over a real socket."""

import contextlib
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from engines import WAIT, Engine, Heard

from distributions import described
from tunewright.embedding.encoder import Source
from tunewright.errors import BadRequest, MissingExtra, NotFound, TunewrightError, Unavailable
from tunewright.generation.generator import ModelSpec, Request
from tunewright.serving.client import Delta, Done, EngineClient, Failed
from tunewright.serving.protocol import pack, receive, request_fields
from tunewright.serving.remote import EngineEncoder

LONG = 90_000


def wish(model: ModelSpec, count: int = 8, prompt: tuple[int, ...] = (3, 1, 4)) -> Request:
    return Request(1, model, list(prompt), max_tokens=count, temperature=0)


def tokens(client: EngineClient, request: Request) -> list[int]:
    *deltas, end = client.generate(request)
    assert end == Done("length")
    return [token for delta in deltas if isinstance(delta, Delta) for token in delta.ids]


def eventually(condition: Callable[[], bool]) -> bool:
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.05)
    return False


def ticks(engine: Engine, seconds: float) -> float:
    """Seconds of CPU time that the engine uses while we wait."""
    process = psutil.Process(engine.process.pid)
    before = process.cpu_times()
    time.sleep(seconds)
    after = process.cpu_times()
    return after.user + after.system - before.user - before.system


def idle(engine: Engine) -> bool:
    return ticks(engine, 0.3) < 0.05


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "engine.sock").start()
    yield engine
    engine.close()


def test_many_calls_on_one_connection_get_their_own_answers(
    client: EngineClient, model: ModelSpec
) -> None:
    requests = [wish(model, 10 + n, (n, n + 1)) for n in range(12)]
    alone = [tokens(client, request) for request in requests]
    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(lambda request: tokens(client, request), requests)) == alone


def test_requests_run_together_not_one_after_the_other(
    client: EngineClient, model: ModelSpec
) -> None:
    long, short = Heard(), Heard()
    handle = client.submit(wish(model, LONG), long)
    assert long.begun.wait(WAIT)
    client.submit(wish(model), short)
    assert short.ended.wait(WAIT)
    assert short.ends == [Done("length")]
    handle.cancel()
    assert long.ends == []


def test_a_cancelled_request_stops_and_the_engine_rests(
    client: EngineClient, model: ModelSpec, shared_engine: Engine
) -> None:
    heard = Heard()
    handle = client.submit(wish(model, LONG), heard)
    assert heard.begun.wait(WAIT)
    handle.cancel()
    handle.cancel()
    client.ping()
    count = len(heard.events)
    assert eventually(lambda: idle(shared_engine))
    assert len(heard.events) == count < LONG


def test_leaving_the_iterator_cancels(
    client: EngineClient, model: ModelSpec, shared_engine: Engine
) -> None:
    events = client.generate(wish(model, LONG))
    assert isinstance(next(events), Delta)
    events.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert eventually(lambda: idle(shared_engine))


def test_a_client_that_disconnects_takes_its_requests_along(
    model: ModelSpec, shared_engine: Engine
) -> None:
    leaving = EngineClient(shared_engine.socket)
    heard = [Heard() for _ in range(3)]
    for one in heard:
        leaving.submit(wish(model, LONG), one)
    assert heard[-1].begun.wait(WAIT)
    leaving.close()
    assert all(one.ended.wait(WAIT) for one in heard)
    assert [type(one.ends[0]) for one in heard] == [Failed] * 3
    assert eventually(lambda: idle(shared_engine))


def test_a_deadline_ends_a_request(
    client: EngineClient, model: ModelSpec, shared_engine: Engine
) -> None:
    *_, end = client.generate(wish(model, LONG), seconds=0.6)
    assert isinstance(end, Failed)
    assert isinstance(end.error, Unavailable)
    assert eventually(lambda: idle(shared_engine))


def test_scores(client: EngineClient, model: ModelSpec) -> None:
    rows = [([3, 1, 4], tokens(client, wish(model))), ([1], [2, 3])]
    greedy, other = client.score(model, rows, timeout=WAIT)
    assert [token for token, _, _ in greedy.top] == rows[0][1]
    assert len(other.logprobs) == 2
    assert client.score(model, [], timeout=WAIT) == []
    with pytest.raises(BadRequest):
        client.score(model, [*rows, ([], [1])], timeout=WAIT)


def test_errors_come_back_as_themselves(client: EngineClient, model: ModelSpec) -> None:
    (event,) = client.generate(wish(model, prompt=(50,)))
    assert isinstance(event, Failed)
    assert isinstance(event.error, BadRequest)
    with pytest.raises(NotFound):
        client.load(ModelSpec("gone", model.base + "-gone"), timeout=WAIT)


def test_load_unload_ping(client: EngineClient, model: ModelSpec) -> None:
    client.ping(timeout=WAIT)
    client.load(model, timeout=WAIT)
    client.unload(model.key, timeout=WAIT)
    assert len(tokens(client, wish(model))) == 8


def test_a_callback_that_raises_harms_only_itself(
    client: EngineClient, model: ModelSpec, shared_engine: Engine
) -> None:
    def raising(_: object) -> None:
        raise RuntimeError("a caller's fault")

    client.submit(wish(model, LONG), raising)
    assert len(tokens(client, wish(model))) == 8
    assert eventually(lambda: idle(shared_engine))


def test_only_this_user_may_connect(shared_engine: Engine) -> None:
    assert stat.S_IMODE(os.stat(shared_engine.socket).st_mode) == 0o600


def test_an_idle_engine_uses_no_cpu(client: EngineClient, shared_engine: Engine) -> None:
    client.ping(timeout=WAIT)
    assert ticks(shared_engine, 1.0) <= 0.02


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 8,
        pack({"op": "explode", "id": 1}),
        pack({"op": "submit", "id": 1, "seconds": 1, "request": {}}),
        pack({"op": "submit"}),
        pack({"op": "score", "id": 1, "seconds": None, "model": {}, "rows": 3}),
        pack({"op": "cancel", "id": [1]}),
    ],
)
def test_nonsense_ends_its_connection_and_no_other(
    data: bytes, client: EngineClient, model: ModelSpec, shared_engine: Engine
) -> None:
    client.ping(timeout=WAIT)
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(WAIT)
        raw.connect(str(shared_engine.socket))
        raw.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            assert receive(raw) is None
    assert len(tokens(client, wish(model))) == 8


def test_a_client_that_never_reads_does_not_hold_up_the_others(
    client: EngineClient, model: ModelSpec, shared_engine: Engine
) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.connect(str(shared_engine.socket))
        request = request_fields(wish(model, LONG))
        for id in range(4):
            deaf.sendall(pack({"op": "submit", "id": id, "seconds": 60, "request": request}))
        time.sleep(0.5)
        assert len(tokens(client, wish(model, 50))) == 50


def test_a_killed_engine_fails_each_open_request_once_and_a_new_one_serves(
    own_engine: Engine, model: ModelSpec
) -> None:
    client = EngineClient(own_engine.socket, seconds=60)
    heard = [Heard() for _ in range(3)]
    for one in heard:
        client.submit(wish(model, LONG), one)
    scoring: list[TunewrightError] = []

    def score() -> None:
        try:
            client.score(model, [([1], [1] * 20_000)], timeout=WAIT)
        except TunewrightError as error:
            scoring.append(error)

    thread = threading.Thread(target=score)
    thread.start()
    assert all(one.begun.wait(WAIT) for one in heard)
    own_engine.kill()
    assert all(one.ended.wait(WAIT) for one in heard)
    thread.join(WAIT)
    assert [len(one.ends) for one in heard] == [1, 1, 1]
    errors = [end.error for one in heard for end in one.ends if isinstance(end, Failed)]
    assert {type(error) for error in [*errors, *scoring]} == {Unavailable}
    assert len([*errors, *scoring]) == 4
    with pytest.raises(Unavailable):
        client.submit(wish(model), Heard())
    before = [len(one.events) for one in heard]
    own_engine.close()
    own_engine.start()  # over the socket that the dead one left
    assert len(tokens(client, wish(model))) == 8
    assert [len(one.events) for one in heard] == before
    client.close()


def test_sigterm_ends_a_busy_engine_at_once(own_engine: Engine, model: ModelSpec) -> None:
    client, heard = EngineClient(own_engine.socket), Heard()
    client.submit(wish(model, LONG), heard)
    assert heard.begun.wait(WAIT)
    own_engine.process.terminate()
    own_engine.process.wait(2)
    assert heard.ended.wait(WAIT)


def test_a_second_engine_leaves_the_first_its_socket(
    shared_engine: Engine, client: EngineClient
) -> None:
    command = [sys.executable, "-m", "tunewright.serving", "--socket", str(shared_engine.socket)]
    second = subprocess.run(command, capture_output=True, timeout=WAIT, check=False)
    assert second.returncode == 1
    assert b'"ready":false' in second.stdout
    client.ping(timeout=WAIT)


def test_with_an_inherited_socket_it_answers_those_who_came_before_and_ends_with_its_parent(
    tmp_path: Path, model: ModelSpec
) -> None:
    path = tmp_path / "inherited.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        client, heard = EngineClient(path), Heard()
        client.submit(wish(model), heard)
        descriptor = listener.fileno()
        command = [sys.executable, "-m", "tunewright.serving", "--listen-fd", str(descriptor)]
        with subprocess.Popen(
            [*command, "--watch-stdin"],
            pass_fds=[descriptor],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        ) as process:
            try:
                assert heard.ended.wait(WAIT)
                assert heard.ends == [Done("length")]
                process.communicate()  # closes its standard input
                assert process.wait(3) == 0
            finally:
                process.kill()
    client.close()


def test_without_torch_callers_are_told_what_to_install(tmp_path: Path, model: ModelSpec) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('absent', name='torch')")
    path = tmp_path / "engine.sock"
    command = [sys.executable, "-m", "tunewright.serving", "--socket", str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            client = EngineClient(path)
            (event,) = client.generate(wish(model))
            assert isinstance(event, Failed)
            assert event.error.code == "missing_extra"
            assert "pip install 'tunewright[train]'" in event.error.message
            with pytest.raises(MissingExtra, match=r"Embedding with torch.*tunewright\[train\]"):
                EngineEncoder(client).encode(Source(str(tmp_path)), [[1]])
            client.close()
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("generator", "code", "reason"),
    [
        ("none", None, "The setting `generator`: There is no generator 'none'. Known: embedded"),
        ("weak", "broken_package", "The generator 'weak' of poor 1.0 (poor:make) cannot be loaded"),
    ],
)
def test_without_the_generator_that_is_set_callers_are_told_why(
    tmp_path: Path, generator: str, code: str | None, reason: str
) -> None:
    """And the engine stays: one that ended would be started again with each request."""
    site = described(
        tmp_path / "site", "poor", "1.0", {"tunewright.generators": {"weak": "poor:make"}}
    )
    (site / "poor.py").write_text("import not_here")
    path = tmp_path / "engine.sock"
    command = [sys.executable, "-m", "tunewright.serving", "--socket", str(path)]
    command += ["--generator", generator]
    environment = os.environ | {"PYTHONPATH": str(site)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            client = EngineClient(path)
            for _ in range(2):
                (event,) = client.generate(wish(ModelSpec("any", str(tmp_path))))
                assert isinstance(event, Failed)
                assert (event.error.status, event.error.code) == (503, code)
                assert reason in event.error.message
            client.close()
        finally:
            process.kill()


def test_the_client_needs_no_torch() -> None:
    code = "import sys, tunewright.serving.client as c; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
