"""Every child process is started here, and ends with its parent.

A child's standard input is a pipe that nobody writes to: it closes when the parent ends, however
that ends, and a child that calls `end_with_parent` ends then too. So none outlives a killed server.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeAlias, TypeVar

import orjson

T = TypeVar("T")
Process: TypeAlias = subprocess.Popen[bytes]
PIPE, NOWHERE = subprocess.PIPE, subprocess.DEVNULL
StillRunning = subprocess.TimeoutExpired  # what `Process.wait` raises after its seconds
_COUNTERS = Path("/proc/vmstat")


class OutOfTime(Exception):
    """A child did not end within its seconds."""


def start(
    command: Sequence[str],
    *,
    stdin: int = PIPE,
    stdout: int = NOWHERE,
    stderr: IO[Any] | int | None = None,
    pass_fds: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
) -> Process:
    """Start this Python with arguments such as ``-m MODULE``. environment: on top of this process's
    own. stderr: None for this process's. Raises OSError where no process can be started."""
    return subprocess.Popen(
        [sys.executable, *command],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        pass_fds=pass_fds,
        env={**os.environ, **(environment or {})},
    )


@contextmanager
def running(command: Sequence[str], **how: Any) -> Iterator[Process]:
    """The same, for the length of a block: at its end the child is killed if it still runs."""
    child = start(command, **how)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def end_with_parent(code: int = 0) -> None:
    """In a child: end at once, with exit code `code`, when the parent has ended."""

    def watch() -> None:
        # Not sys.stdin: a thread that waits in it holds its lock, and Python aborts at exit.
        while os.read(0, 4096):
            pass
        os._exit(code)  # the main thread may be deep inside torch

    threading.Thread(target=watch, name="parent", daemon=True).start()


class JsonLines:
    """What a child says, in a child: dataclasses, each with its `kind`, as one JSON object a line,
    flushed at once: ``{"kind": "step", "step": 3, ...}``."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    @classmethod
    def on_standard_output(cls) -> "JsonLines":
        """For us alone: a library that prints would break the lines, so it prints to standard
        error from now on."""
        stream = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        return cls(stream)

    def __call__(self, said: Any, /) -> None:
        line = orjson.dumps({"kind": said.kind, **asdict(said)}, option=orjson.OPT_APPEND_NEWLINE)
        self._stream.write(line)
        self._stream.flush()


def parsed(lines: Iterable[bytes], kinds: Mapping[str, Callable[..., T]]) -> Iterator[T]:
    """What `JsonLines` wrote, as it was said: `kinds` makes each by its kind."""
    for line in lines:
        found = orjson.loads(line)
        yield kinds[found.pop("kind")](**found)


def tried(
    command: Sequence[str],
    seconds: float,
    *,
    limit: Callable[[], None] | None = None,
    environment: Mapping[str, str] | None = None,
    given: bytes = b"",
) -> subprocess.CompletedProcess[bytes]:
    """Run this Python with such arguments to its end and return what it printed. limit: called in
    the child before its program, to set what it may use. given: its standard input. Raises
    OutOfTime after `seconds`, the child killed."""
    try:
        return subprocess.run(
            [sys.executable, *command],
            input=given,
            capture_output=True,
            timeout=seconds,
            preexec_fn=limit,
            env={**os.environ, **(environment or {})},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OutOfTime(f"{command} did not end within {seconds:.0f} seconds") from None


def kills_for_memory() -> int:
    """How often the kernel has killed for want of memory since it booted; 0 where it does not say.
    Kills within a container's own limit are counted too."""
    try:
        lines = _COUNTERS.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
