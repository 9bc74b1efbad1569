"""Whatever one client does, others are answered.

Each attack is a row: what is sent, with a key or without, and the answers that may come. `make
test` sends each once and looks at the answer; the slow tests repeat it for seconds on several
connections, while another organisation's calls are timed and the server's memory is watched. They
print a line of figures each (``pytest -s``).
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from attacker import Plan

from servers import Server, start_server
from sockets import connect, rest, statuses
from training.tiny import write_base
from tunewright import Tunewright
from tunewright.records.keys import KeyRequest

SECONDS = float(os.environ.get("WORST_SECONDS", "10"))  # of each slow attack
MIB = 1024 * 1024
# What the bystander may wait, in seconds, on two cores that nothing else uses.
BARS = {"models": 0.25, "embedding": 2.0, "completion": 2.0}
MOST_GROWTH = 600 * MIB
RETURNS_TO = 150 * MIB  # above idle, a minute later


@dataclass(frozen=True)
class Attack:
    """`request`: the raw bytes, given the server and the attacker's key ("" has none).

    answers: the statuses that may come. `plan`: fields of
    `attacker.Plan` for the slow test. `endless`: bytes that follow for as long as they are taken.
    """

    name: str
    request: Callable[[Server, str], bytes]
    answers: tuple[int, ...]
    keyed: bool = True
    plan: dict = field(default_factory=dict)
    endless: bytes = b""


def post(path: str, body: bytes, key: str, kind: str = "application/json") -> bytes:
    who = f"Authorization: Bearer {key}\r\n" if key else ""
    head = (
        f"POST /v1{path} HTTP/1.1\r\nHost: localhost\r\n{who}Content-Type: {kind}\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def json_post(
    path: str, make: Callable[[], object], kind: str = "application/json"
) -> Callable[[Server, str], bytes]:
    def request(_: Server, key: str) -> bytes:
        made = make()
        return post(path, made if isinstance(made, bytes) else json.dumps(made).encode(), key, kind)

    return request


def chat(text: object = "Hi", **more: object) -> dict:
    messages = [{"role": "user", "content": text}]
    return {"model": "gpt-3.5-turbo", "messages": messages, "max_tokens": 1, **more}


def embedding(given: object) -> dict:
    return {"model": "text-embedding-ada-002", "input": given}


def completion(prompt: object, **more: object) -> dict:
    return {"model": "babbage-002", "prompt": prompt, "max_tokens": 1, **more}


def many_keys(count: int) -> bytes:
    keys = ",".join(f'"k{n}":1' for n in range(count))
    return b'{"model":"gpt-3.5-turbo","messages":[],' + keys.encode() + b"}"


def many_messages(count: int) -> bytes:
    one = b'{"role":"user","content":"a"}'
    return b'{"model":"gpt-3.5-turbo","messages":[' + b",".join([one] * count) + b"]}"


def nested_lists(count: int) -> bytes:
    return b'{"model":"text-embedding-ada-002","input":[' + b",".join([b"[]"] * count) + b"]}"


def deep(depth: int) -> bytes:
    return b'{"a":' + b"[" * depth + b"]" * depth + b"}"


def chunked(path: str) -> Callable[[Server, str], bytes]:
    def request(_: Server, key: str) -> bytes:
        who = f"Authorization: Bearer {key}\r\n" if key else ""
        return (
            f"POST /v1{path} HTTP/1.1\r\nHost: localhost\r\n{who}"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        ).encode()

    return request


WORDS = "word " * 1_600_000
TINY_CHUNKS = b"1\r\n \r\n" * 10_000

CHAT, TEXT, EMBED = "/chat/completions", "/completions", "/embeddings"
REFUSED = (400, 429)

# The heavy ones are sent by the slow tests only.
HEAVY = [
    Attack("a client as any other", json_post(EMBED, lambda: embedding("word")), (200,)),
    Attack("2.4 million keys", json_post(CHAT, lambda: many_keys(2_400_000)), REFUSED),
    Attack("a million messages", json_post(CHAT, lambda: many_messages(1_000_000)), REFUSED),
    Attack("7 million empty lists", json_post(EMBED, lambda: nested_lists(7_000_000)), REFUSED),
    Attack("10 million levels", json_post(EMBED, lambda: deep(10_000_000)), REFUSED),
    Attack("8 MB of digits", json_post(CHAT, lambda: chat("7" * 8_000_000)), REFUSED),
    Attack("8 MB of spaces", json_post(CHAT, lambda: chat(" " * 8_000_000)), REFUSED),
    Attack("8 MB of one word", json_post(TEXT, lambda: completion("w" * 8_000_000)), REFUSED),
    Attack("200 KB of words", json_post(CHAT, lambda: chat("word " * 40_000)), REFUSED),
]
LIGHT = [
    Attack("30,000 keys", json_post(CHAT, lambda: many_keys(30_000)), REFUSED),
    Attack("30,000 messages", json_post(CHAT, lambda: many_messages(30_000)), REFUSED),
    Attack("100,000 empty lists", json_post(EMBED, lambda: nested_lists(100_000)), REFUSED),
    Attack("100,000 levels", json_post(EMBED, lambda: deep(100_000)), REFUSED),
    Attack("a message of 8 MB", json_post(CHAT, lambda: chat(WORDS)), REFUSED),
    Attack("a prompt of 8 MB", json_post(TEXT, lambda: completion(WORDS)), REFUSED),
    Attack(
        "128 large prompts", json_post(TEXT, lambda: completion([WORDS[:200_000]] * 128)), REFUSED
    ),
    Attack("an input of 8 MB", json_post(EMBED, lambda: embedding(WORDS)), REFUSED),
    Attack(
        "2,048 large inputs", json_post(EMBED, lambda: embedding([WORDS[:4000]] * 2048)), REFUSED
    ),
    Attack(
        "JSON called a form", json_post(EMBED, lambda: embedding(WORDS), "multipart/x"), REFUSED
    ),
    Attack(
        "a template that loops as the message says",
        json_post(CHAT, lambda: chat("90000") | {"model": "looping"}),
        (400,),
    ),
    Attack("tiny chunks", chunked(EMBED), (*REFUSED, 408), endless=TINY_CHUNKS),
    Attack("tiny chunks, no key", chunked(EMBED), (401,), keyed=False, endless=TINY_CHUNKS),
    Attack("8 MB, no key", json_post(EMBED, lambda: embedding(WORDS)), (401,), keyed=False),
]
ATTACKS = LIGHT + HEAVY
LOOPING = """{% for m in messages %}{{ m.content }}<|end|>
{%- for a in range(m.content | int) %}{% for b in range(m.content | int) %}{% endfor %}{% endfor %}
{%- endfor %}"""


@dataclass
class Arena:
    """A server with two organisations: the attacker's key, and the bystander's."""

    server: Server
    attacker: str
    bystander: str

    def calls(self) -> dict[str, Callable[[httpx.Client], httpx.Response]]:
        return {
            "models": lambda http: http.get("/models"),
            "embedding": lambda http: http.post("/embeddings", json=embedding("word")),
            "completion": lambda http: http.post("/completions", json=completion("One")),
        }

    def client(self) -> httpx.Client:
        """A connection of its own, as a new client would have."""
        who = {"authorization": f"Bearer {self.bystander}"}
        return httpx.Client(base_url=self.server.url, headers=who, timeout=120)


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    server = start_server(tmp_path_factory.mktemp("worst") / "home")
    tw = Tunewright(server.home)
    base = write_base(tmp_path_factory.mktemp("looping"), "llama")
    (base / "chat_template.jinja").write_text(LOOPING)
    tw.bases.add("looping", base, "chat", lambda *_: None)
    bystander = tw.access.create_key(
        tw.access.create_organisation("bystander"), KeyRequest(name="b")
    )
    tw.close()
    arena = Arena(server, server.key, bystander.value)
    with arena.client() as http:
        for call in arena.calls().values():
            assert call(http).status_code == 200
    yield arena
    server.stop()


def of(attacks: list[Attack]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("attack", attacks, ids=lambda attack: attack.name)


@of(LIGHT)
def test_the_attack_is_refused_and_others_are_answered(arena: Arena, attack: Attack) -> None:
    connection = connect(arena.server)
    sent = attack.request(arena.server, arena.attacker if attack.keyed else "")
    with contextlib.suppress(ConnectionError):
        connection.sendall(sent)
        for _ in range(50 if attack.endless else 0):
            connection.sendall(attack.endless)
        if attack.endless:
            connection.shutdown(socket.SHUT_WR)
    received = rest(connection)
    assert len(statuses(received)) <= 1
    assert not statuses(received) or statuses(received)[0] in attack.answers
    if not attack.endless:
        assert statuses(received), "it was answered"
        assert b"x-request-id: " in received
        assert b'"error":{"message":' in received
    with arena.client() as http:
        for name, call in arena.calls().items():
            assert call(http).status_code == 200, name


@pytest.mark.slow
@of(ATTACKS)
@pytest.mark.timeout(600)
def test_nobody_is_silenced(arena: Arena, attack: Attack, tmp_path: Path) -> None:
    idle = rss(arena.server)
    with Watch(arena.server) as watch:
        assault = start(arena, attack, tmp_path)
        slowest = timed(arena, assault)
        answers = json.loads(assault.communicate()[0] or "{}")
    after = returned(arena.server, idle)
    figures = " | ".join(f"{name} {slowest[name] * 1000:.0f} ms" for name in BARS)
    print(  # noqa: T201
        f"\n{attack.name} | {figures} | at most {(watch.most - idle) / MIB:.0f} MiB more, "
        f"{(after - idle) / MIB:.0f} MiB afterwards | {answers}"
    )
    assert not {int(a) for a in answers if a.isdecimal()} - {*attack.answers, 408, 429}
    assert {name: s for name, s in slowest.items() if s > BARS[name]} == {}
    assert watch.most - idle < MOST_GROWTH
    assert after - idle < RETURNS_TO


def start(arena: Arena, attack: Attack, folder: Path) -> "subprocess.Popen[str]":
    def kept(name: str, data: bytes) -> str:
        (folder / name).write_bytes(data)
        return str(folder / name)

    sent = attack.request(arena.server, arena.attacker if attack.keyed else "")
    plan = Plan(**{"request": kept("request", sent), "seconds": SECONDS, **attack.plan})
    plan.endless = kept("endless", attack.endless) if attack.endless else None
    spec = kept("plan", json.dumps(asdict(plan)).encode())
    host, port = arena.server.root_url.removeprefix("http://").split(":")
    script = str(Path(__file__).with_name("attacker.py"))
    command = [sys.executable, script, host, port, spec]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def timed(arena: Arena, assault: "subprocess.Popen[str]") -> dict[str, float]:
    """The slowest call of each kind while the assault runs, each kind asked by a thread."""
    slowest = dict.fromkeys(BARS, 0.0)

    def ask(name: str, call: Callable[[httpx.Client], httpx.Response]) -> None:
        while assault.poll() is None:
            with arena.client() as http:
                began = time.perf_counter()
                try:
                    assert call(http).status_code == 200
                except (AssertionError, httpx.HTTPError):
                    slowest[name] = 1000.0
                slowest[name] = max(slowest[name], time.perf_counter() - began)
            time.sleep(0.05)

    threads = [threading.Thread(target=ask, args=pair) for pair in arena.calls().items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return slowest


class Watch:
    """The most memory that the server's process had inside the block."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.most = 0

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            self.most = max(self.most, rss(self._server))


def rss(server: Server) -> int:
    return psutil.Process(server.process.pid).memory_info().rss


def returned(server: Server, idle: int) -> int:
    """Memory as soon as it is near `idle` again, or after a minute."""
    deadline = time.monotonic() + 60
    while (now := rss(server)) - idle > 50 * MIB and time.monotonic() < deadline:
        time.sleep(1)
    return now
