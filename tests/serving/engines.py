"""A real engine process with a tiny model, for tests."""

import contextlib
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from tunewright.serving.client import Delta, Done, EngineEvent, Failed

WAIT = 30.0


@dataclass
class Engine:
    socket: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self, *arguments: str) -> "Engine":
        command = [sys.executable, "-m", "tunewright.serving", "--socket", str(self.socket)]
        self.process = subprocess.Popen(
            [*command, "--watch-stdin", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert orjson.loads(self.process.stdout.readline()) == {"ready": True}
        return self

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(WAIT)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(WAIT)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Heard:
    """Collects the events of one call."""

    def __init__(self) -> None:
        self.events: list[EngineEvent] = []
        self.begun = threading.Event()
        self.ended = threading.Event()

    def __call__(self, event: EngineEvent) -> None:
        self.events.append(event)
        self.begun.set()
        if not isinstance(event, Delta):
            self.ended.set()

    @property
    def ids(self) -> list[int]:
        return [token for event in self.events if isinstance(event, Delta) for token in event.ids]

    @property
    def ends(self) -> list[EngineEvent]:
        return [event for event in self.events if isinstance(event, Done | Failed)]
