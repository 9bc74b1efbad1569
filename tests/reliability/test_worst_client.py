"""Whatever one client does, others are answered.

Each attack is a row of `attacks.py`: what is sent, with a key or without, and the answers that may
come. `make test` sends the light ones once and looks at the answer; the slow tests repeat each for
seconds on several connections, while another organisation's calls are timed and the server's memory
is watched. They print a line of figures each (``pytest -s``).
"""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from arena import BARS, CALLS, MOST_GROWTH, RETURNS_TO, Arena, Attack, fight
from attacks import ALL, LIGHT

from servers import start_server
from sockets import connect, rest, statuses
from training.tiny import write_base
from tunewright import Tunewright
from tunewright.records.keys import KeyRequest

LOOPING = """{% for m in messages %}{{ m.content }}<|end|>
{%- for a in range(m.content | int) %}{% for b in range(m.content | int) %}{% endfor %}{% endfor %}
{%- endfor %}"""


def bases(tw: Tunewright, folder: Path) -> None:
    """One whose template can be made to loop, and one that reads more than any prompt has."""
    looping, long = write_base(folder / "looping", "llama"), write_base(folder / "long", "llama")
    (looping / "chat_template.jinja").write_text(LOOPING)
    (long / "chat_template.jinja").unlink()
    config = json.loads((long / "config.json").read_text()) | {"max_position_embeddings": 200_000}
    (long / "config.json").write_text(json.dumps(config))
    tw.bases.add("looping", looping, "chat", lambda *_: None)
    tw.bases.add("long", long, "completion", lambda *_: None)


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    server = start_server(tmp_path_factory.mktemp("worst") / "home")
    tw = Tunewright(server.home)
    bases(tw, tmp_path_factory.mktemp("bases"))
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
