"""Whatever one client does, others are answered.

Each attack is a row of `attacks.py`: what is sent, with a key or without, and the answers that may
come. `make test` sends the light ones once and looks at the answer; the slow tests repeat each for
seconds on several connections, while another organisation's calls are timed and the server's memory
is watched. They print a line of figures each (``pytest -s``).
"""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from arena import BARS, CALLS, MOST_GROWTH, RETURNS_TO, Arena, Attack, fight
from attacks import ABANDONED, ALL, LIGHT

from servers import start_server
from sockets import connect, rest, statuses
from training.tiny import write_base
from tunewright import Tunewright
from tunewright.records.keys import KeyRequest

LOOPING = """{% for m in messages %}{{ m.content }}<|end|>
{%- for a in range(m.content | int) %}{% for b in range(m.content | int) %}{% endfor %}{% endfor %}
{%- endfor %}"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose template can be made to loop."""
    made = write_base(tmp_path_factory.mktemp("looping"), "llama")
    (made / "chat_template.jinja").write_text(LOOPING)
    return made


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Iterator[Arena]:
    server = start_server(tmp_path_factory.mktemp("worst") / "home")
    tw = Tunewright(server.home)
    tw.bases.add("looping", base, "chat", lambda *_: None)
    other = tw.access.create_organisation("bystander")
    bystander = tw.access.create_key(other, KeyRequest(name="b"))
    tw.close()
    arena = Arena(server, server.key, bystander.value)
    for call in CALLS.values():
        assert call(arena) == 200
    yield arena
    server.stop()


def of(attacks: list[Attack]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("attack", attacks, ids=lambda attack: attack.name)


@of(LIGHT)
def test_the_attack_is_refused_and_others_are_answered(arena: Arena, attack: Attack) -> None:
    for sent in attack.made(arena):
        received = answer(arena, sent, attack.endless)
        assert len(statuses(received)) <= 1
        assert not statuses(received) or statuses(received)[0] in attack.answers
        if not attack.endless:
            assert statuses(received), "it was answered"
            assert b"x-request-id: " in received
            assert b'"error":{"message":' in received
    for name, call in CALLS.items():
        assert call(arena) == 200, name


def answer(arena: Arena, sent: bytes, endless: bytes) -> bytes:
    connection = connect(arena.server)
    with contextlib.suppress(ConnectionError):
        connection.sendall(sent)
        for _ in range(50 if endless else 0):
            connection.sendall(endless)
        if endless:
            connection.shutdown(socket.SHUT_WR)
    return rest(connection)


@of(ABANDONED)
def test_what_nobody_waits_for_stops(arena: Arena, attack: Attack) -> None:
    """Counted in seconds of a processor: to its end, each would take a minute of them or more."""
    for connection in under_way(arena, attack.made(arena)[0]):
        connection.close()
    began = before = processor_seconds(arena)
    while True:
        time.sleep(0.5)
        now = processor_seconds(arena)
        assert now - began < 10
        if now - before < 0.1:
            break
        before = now
    for name, call in CALLS.items():
        assert call(arena) == 200, name


def under_way(arena: Arena, sent: bytes) -> list[socket.socket]:
    """Three connections that ask the same, none of which is refused: what the attack before this
    one left may still be let go of."""
    for _ in range(30):
        connections = [connect(arena.server) for _ in range(3)]
        for connection in connections:
            connection.sendall(sent)
        time.sleep(0.3)
        heads = [begun(connection) for connection in connections]
        if b"HTTP/1.1 429" not in heads:
            assert set(heads) <= {b"", b"HTTP/1.1 200"}, "it was under way"
            return connections
        for connection in connections:
            connection.close()
        time.sleep(1)
    raise AssertionError("the server is busy for half a minute")


def begun(connection: socket.socket) -> bytes:
    """What has come of an answer so far: its first words, or nothing."""
    connection.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        return connection.recv(12)
    return b""


def processor_seconds(arena: Arena) -> float:
    """Of the server and its engine."""
    engine = arena.server.child("tunewright.serving").cpu_times()
    api = psutil.Process(arena.server.process.pid).cpu_times()
    return engine.user + engine.system + api.user + api.system


@pytest.mark.slow
@of(ALL)
@pytest.mark.timeout(600)
def test_nobody_is_silenced(arena: Arena, attack: Attack, tmp_path: Path) -> None:
    figures = fight(arena, attack, tmp_path)
    print(f"\n{attack.name} | {figures}")  # noqa: T201
    codes = {int(code) for code in figures.answers if code.isdecimal()}
    assert codes <= {*attack.answers, 408, 429} or not attack.answers
    bars = BARS | attack.bars
    assert {n: s for n, s in figures.slowest.items() if s > bars[n]} == {}
    assert figures.most < MOST_GROWTH
    assert figures.after < RETURNS_TO
