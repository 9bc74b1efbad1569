"""A real `tunewright serve` as a child process, for the length of the demo."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tunewright import children
from tunewright.errors import Unavailable

STOP_SECONDS = 12.0
_URL = re.compile(r"OPENAI_BASE_URL=(\S+)")
_KEY = re.compile(r"OPENAI_API_KEY=(\S+)")
_LAST_LINE = "Stop with"


@dataclass(frozen=True)
class DemoServer:
    """A running server. `printed` is what it said at its start."""

    home: Path
    url: str
    key: str
    printed: str


@contextmanager
def demo_server(home: Path, port: int) -> Iterator[DemoServer]:
    """A server on `home`. Raises Unavailable where it does not start, or the home is not new."""
    home.mkdir(parents=True, exist_ok=True)
    log = home / "server.log"
    arguments = ["serve", "--home", str(home), "--port", str(port)]
    with log.open("ab") as errors:
        process = children.start(
            ["-m", "tunewright", *arguments],
            stdin=children.NOWHERE,
            stdout=children.PIPE,
            stderr=errors,
        )
    try:
        assert process.stdout is not None
        yield _started(home, _printed(process.stdout), log)
    finally:
        _stop(process)


def _printed(output: IO[bytes]) -> str:
    printed = ""
    for line in map(bytes.decode, output):
        if line.startswith(_LAST_LINE):
            break
        printed += line
    return printed


def _started(home: Path, printed: str, log: Path) -> DemoServer:
    url, key = _URL.search(printed), _KEY.search(printed)
    if url is None:
        last = log.read_text("utf-8", "replace").strip().splitlines()[-1:]
        raise Unavailable(f"The server did not start. {''.join(last)}")
    if key is None:
        raise Unavailable(
            f"{home} has been used before, so its key is not shown again. Choose a new --home."
        )
    return DemoServer(home, url[1], key[1], printed)


def _stop(process: children.Process) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except children.StillRunning:
        process.kill()
        process.wait()
