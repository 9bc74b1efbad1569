"""A server, an attacker and a bystander of another organisation, who is timed meanwhile."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import psutil
from attacker import Plan

from servers import Server

SECONDS = float(os.environ.get("WORST_SECONDS", "6"))  # of each slow attack
MIB = 1024 * 1024
# What the bystander may wait, in seconds, on two cores that nothing else uses.
BARS = {"models": 0.25, "embedding": 2.0, "completion": 2.0}
MOST_GROWTH = 600 * MIB
RETURNS_TO = 150 * MIB  # above idle, a minute later


@dataclass
class Arena:
    """A server with two organisations: the attacker's key, and the bystander's."""

    server: Server
    attacker: str
    bystander: str
    file: str | None = None  # of the bystander's, once something needs one
    bad_file: str | None = None

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.server.root_url.removeprefix("http://").split(":")
        return host, int(port)

    def call(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        """One call of the bystander, on a connection of its own as a new client would have."""
        connection = http.client.HTTPConnection(*self.address, timeout=120)
        headers = {"Authorization": f"Bearer {self.bystander}", "Content-Type": "application/json"}
        sent = None if body is None else json.dumps(body)
        try:
            connection.request(method, f"/v1{path}", sent, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


Calls = dict[str, Callable[[Arena], int]]


def chat(text: object = "Hi", **more: object) -> dict:
    messages = [{"role": "user", "content": text}]
    return {"model": "gpt-3.5-turbo", "messages": messages, "max_tokens": 1, **more}


def embedding(given: object, **more: object) -> dict:
    return {"model": "text-embedding-ada-002", "input": given, **more}


def completion(prompt: object, **more: object) -> dict:
    return {"model": "babbage-002", "prompt": prompt, "max_tokens": 1, **more}


CALLS: Calls = {
    "models": lambda arena: arena.call("GET", "/models")[0],
    "embedding": lambda arena: arena.call("POST", "/embeddings", embedding("word"))[0],
    "completion": lambda arena: arena.call("POST", "/completions", completion("One"))[0],
}


def nothing(_: Arena) -> AbstractContextManager[None]:
    return contextlib.nullcontext()


@dataclass(frozen=True)
class Attack:
    """`requests`: raw bytes, sent in turn, given the arena and the attacker's key ("" has none).

    answers: the statuses that may come; none: the client leaves, or is left, without one.
    `plan`: fields of `attacker.Plan` for the slow test. `endless`: bytes that follow for as long as
    they are taken. `beside`: what holds meanwhile. `bars` and `calls`: those of the bystander that
    differ from BARS and CALLS.
    """

    name: str
    requests: Callable[[Arena, str], list[bytes]]
    answers: tuple[int, ...]
    keyed: bool = True
    plan: dict = field(default_factory=dict)
    endless: bytes = b""
    beside: Callable[[Arena], AbstractContextManager[None]] = nothing
    bars: dict[str, float] = field(default_factory=dict)
    calls: Calls = field(default_factory=dict)

    def made(self, arena: Arena) -> list[bytes]:
        return self.requests(arena, arena.attacker if self.keyed else "")


@dataclass
class Figures:
    """Of one attack: the bystander's slowest calls in seconds, memory above idle in bytes, and
    how often the attacker got which answer."""

    slowest: dict[str, float]
    most: int
    after: int
    answers: dict[str, int]

    def __str__(self) -> str:
        told = " | ".join(f"{name} {s * 1000:.0f} ms" for name, s in self.slowest.items())
        grown = f"at most {self.most / MIB:.0f} MiB more, {self.after / MIB:.0f} MiB afterwards"
        return f"{told} | {grown} | {self.answers}"


def fight(arena: Arena, attack: Attack, folder: Path) -> Figures:
    idle = rss(arena.server)
    with attack.beside(arena), Watch(arena.server) as watch:
        assault = start(arena, attack, folder)
        slowest = timed(arena, CALLS | attack.calls, assault)
        answers = json.loads(assault.communicate()[0] or "{}")
    return Figures(slowest, watch.most - idle, returned(arena.server, idle) - idle, answers)


def start(arena: Arena, attack: Attack, folder: Path) -> "subprocess.Popen[str]":
    def kept(name: str, data: bytes) -> str:
        (folder / name).write_bytes(data)
        return str(folder / name)

    requests = [kept(f"request-{n}", r) for n, r in enumerate(attack.made(arena))]
    plan = replace(Plan(requests, seconds=SECONDS), **attack.plan)
    plan.endless = kept("endless", attack.endless) if attack.endless else None
    spec = kept("plan", json.dumps(asdict(plan)).encode())
    host, port = arena.address
    script = str(Path(__file__).with_name("attacker.py"))
    command = [sys.executable, script, host, str(port), spec]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def timed(arena: Arena, calls: Calls, assault: "subprocess.Popen[str]") -> dict[str, float]:
    """The slowest call of each kind while the assault runs, each kind asked by a thread."""
    slowest = dict.fromkeys(calls, 0.0)

    def ask(name: str, call: Callable[[Arena], int]) -> None:
        while assault.poll() is None:
            began = time.perf_counter()
            try:
                assert call(arena) == 200
            except (AssertionError, OSError, http.client.HTTPException):
                slowest[name] = 1000.0
            slowest[name] = max(slowest[name], time.perf_counter() - began)
            time.sleep(0.05)

    threads = [threading.Thread(target=ask, args=pair) for pair in calls.items()]
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
