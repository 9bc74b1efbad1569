"""Milliseconds of small requests over one connection that is kept, as clients see them.

GET of a model, one embedding, a chat of one token; by http.client, openai-python (sync, async) and
openai-node. With --before, a second checkout's server runs beside, and the two take turns: both
run with this Python and its packages. The first round is not counted; medians are printed.

    .venv/bin/python bench/latency.py [--before DIR] [--rounds 5] [--calls 20]

Needs `make sdk` for openai-python (.sdk/VERSION), and npm with a registry for openai-node; what is
missing is said and left out.
"""

import argparse
import asyncio
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from machine import described

HERE = Path(__file__).resolve().parent.parent
SDK = HERE / ".sdk" / "3.54.0" / "bin" / "python"
CALLS = ("model", "embedding", "chat")
EMBEDDING = {"model": "text-embedding-3-small", "input": "Where is my parcel?"}
CHAT = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hello"}],
    "max_completion_tokens": 1,
}
NODE = """
import OpenAI from "openai";
import { createInterface } from "node:readline";
const [url, key, embedding, chat] = process.argv.slice(2);
const client = new OpenAI({ baseURL: url, apiKey: key, maxRetries: 0 });
const calls = {
  model: () => client.models.retrieve("gpt-4o-mini"),
  embedding: () => client.embeddings.create(JSON.parse(embedding)),
  chat: () => client.chat.completions.create(JSON.parse(chat)),
};
for await (const line of createInterface({ input: process.stdin })) {
  const [call, count] = JSON.parse(line);
  const took = [];
  for (let n = 0; n < count; n++) {
    const began = performance.now();
    await calls[call]();
    took.push(performance.now() - began);
  }
  console.log(JSON.stringify(took));
}
"""


# What a client's process does: reads [call, count], a line each, and answers their milliseconds.


def serve_raw(url: str, key: str) -> None:
    target = urlsplit(url)
    assert target.hostname is not None
    connection = http.client.HTTPConnection(target.hostname, target.port)
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}

    def ask(method: str, path: str, body: object = None) -> None:
        content = None if body is None else json.dumps(body)
        connection.request(method, f"{target.path}{path}", content, headers)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text

    _time_each(
        {
            "model": lambda: ask("GET", "/models/gpt-4o-mini"),
            "embedding": lambda: ask("POST", "/embeddings", EMBEDDING),
            "chat": lambda: ask("POST", "/chat/completions", CHAT),
        }
    )


def serve_sync(url: str, key: str) -> None:
    import openai

    _time_each(_sdk_calls(openai.OpenAI(base_url=url, api_key=key, max_retries=0)))


def serve_async(url: str, key: str) -> None:
    import openai

    calls = _sdk_calls(openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0))
    with asyncio.Runner() as runner:

        async def one(call: str) -> None:
            await calls[call]()

        def waiting(call: str) -> Callable[[], object]:
            return lambda: runner.run(one(call))

        _time_each({call: waiting(call) for call in CALLS})


def _sdk_calls(client: Any) -> dict[str, Callable[[], Any]]:
    return {
        "model": lambda: client.models.retrieve("gpt-4o-mini"),
        "embedding": lambda: client.embeddings.create(**EMBEDDING),
        "chat": lambda: client.chat.completions.create(**CHAT),
    }


def _time_each(calls: dict[str, Callable[[], object]]) -> None:
    for line in sys.stdin:
        call, count = json.loads(line)
        took: list[float] = []
        for _ in range(count):
            began = time.perf_counter()
            calls[call]()
            took.append(1000 * (time.perf_counter() - began))
        print(json.dumps(took), flush=True)


SERVES = {"raw": serve_raw, "sync": serve_sync, "async": serve_async}


# What measures them.


@contextmanager
def server(checkout: Path) -> Iterator[tuple[str, str]]:
    """A server of `checkout` on a home of its own; its URL and key."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "tunewright", "serve", "--home", home, "--port", "0"]
        environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "NO_COLOR": "1"}
        with (
            (Path(home) / "server.log").open("w") as log,
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment, cwd=home
            ) as process,
        ):
            try:
                yield _ready(process)
            finally:
                process.terminate()


def _ready(process: subprocess.Popen[str]) -> tuple[str, str]:
    printed = ""
    assert process.stdout is not None
    for line in process.stdout:
        printed += line
        url = re.search(r"http://[\d.]+:\d+/v1", printed)
        key = re.search(r"sk-tw-[\w-]+", printed)
        if url and key:
            return url[0], key[0]
    raise SystemExit(f"The server did not start: {printed}")


class Client:
    """A process that asks one server, when it is told to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def time(self, call: str, count: int) -> list[float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([call, count]), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


def commands(directory: Path) -> dict[str, list[str]]:
    """How to start each client that this machine has; URL and key are to follow."""
    script = str(Path(__file__).resolve())
    found = {"http.client": [sys.executable, script, "--client", "raw"]}
    if SDK.is_file():
        found["openai-python"] = [str(SDK), script, "--client", "sync"]
        found["openai-python, async"] = [str(SDK), script, "--client", "async"]
    else:
        print(f"openai-python is left out: {SDK} does not exist (make sdk).", file=sys.stderr)
    if node := _node(directory):
        found["openai-node"] = node
    return found


def _node(directory: Path) -> list[str]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        print("openai-node is left out: there is no node or no npm.", file=sys.stderr)
        return []
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "openai"]
    if subprocess.run(command, cwd=directory, timeout=300, check=False).returncode:
        print("openai-node is left out: npm could not install it.", file=sys.stderr)
        return []
    script = directory / "client.mjs"
    script.write_text(NODE)
    return [node, str(script)]


def _client(command: list[str], stack: ExitStack, *, node: bool) -> Client:
    bodies = [json.dumps(EMBEDDING), json.dumps(CHAT)] if node else []  # the others know them
    pipe = subprocess.PIPE
    process = subprocess.Popen([*command, *bodies], stdin=pipe, stdout=pipe, text=True)
    stack.callback(process.kill)
    return Client(process)


def measure(
    clients: dict[tuple[str, str], Client], rounds: int, calls: int
) -> dict[tuple[str, str, str], float]:
    """The median milliseconds by client, call and server."""
    took: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for turn in range(rounds + 1):
        for call in CALLS:
            for (name, side), client in clients.items():
                some = client.time(call, calls)
                if turn:
                    took[name, call, side] += some
    return {key: statistics.median(values) for key, values in took.items()}


def print_table(medians: dict[tuple[str, str, str], float], sides: list[str]) -> None:
    print(f"{described()}; milliseconds, medians\n")
    ratio = len(sides) == 2
    print(f"| client | call | {' | '.join(sides)} |{' before / now |' if ratio else ''}")
    print("|---" * (2 + len(sides) + ratio) + "|")
    names = dict.fromkeys(name for name, _, _ in medians)
    for name, call in ((name, call) for name in names for call in CALLS):
        values = [medians[name, call, side] for side in sides]
        cells = [f"{value:.1f}" for value in values]
        if ratio:
            cells.append(f"{values[0] / values[1]:.1f}")
        print(f"| {name} | {call} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="another checkout, to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=20, help="of each kind, in a round")
    parser.add_argument("--client", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        kind, url, key = options.client
        SERVES[kind](url, key)
        return
    checkouts = {"before": options.before.resolve()} if options.before else {}
    checkouts["now"] = HERE
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        started = commands(directory)
        servers = {side: stack.enter_context(server(path)) for side, path in checkouts.items()}
        clients = {
            (name, side): _client([*command, *address], stack, node="node" in name)
            for name, command in started.items()
            for side, address in servers.items()
        }
        print_table(measure(clients, options.rounds, options.calls), [*servers])


if __name__ == "__main__":
    main()
