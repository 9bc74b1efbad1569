"""Real servers on 127.0.0.1, each with a home of its own, and the data that tests feed them."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

REPOSITORY = Path(__file__).parent.parent
DATA = REPOSITORY.parent / "shared" / "data"
START_SECONDS = 60.0


@dataclass
class Server:
    """A running `tunewright serve`."""

    home: Path
    process: subprocess.Popen[str]
    url: str
    key: str
    log: Path
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(
            base_url=self.url, headers={"authorization": f"Bearer {self.key}"}, timeout=120
        )

    @property
    def root_url(self) -> str:
        return self.url.removesuffix("/v1")

    def child(self, module: str) -> psutil.Process:
        """The child process that runs ``python -m {module}``; waits until there is one."""
        for _ in range(300):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if module in child.cmdline():
                        return child
            time.sleep(0.1)
        raise AssertionError(f"no {module} runs")

    def upload(self, data: bytes, name: str = "data.jsonl", purpose: str = "fine-tune") -> str:
        answer = self.http.post("/files", data={"purpose": purpose}, files={"file": (name, data)})
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    def job(self, **body: object) -> dict:
        answer = self.http.post("/fine_tuning/jobs", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait(self, job: str, *statuses: str, seconds: float = 240) -> dict:
        """The job, as soon as it is in one of `statuses` (by default: has ended)."""
        wanted = statuses or ("succeeded", "failed", "cancelled")
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.http.get(f"/fine_tuning/jobs/{job}").json()
            if found["status"] in wanted:
                return found
            time.sleep(0.2)
        raise AssertionError(f"{job} is still {found['status']}\n{self.log.read_text()[-3000:]}")

    def events(self, job: str) -> list[dict]:
        """All events of a job, oldest first."""
        events: list[dict] = []
        query = {"limit": "100"}
        while True:
            page = self.http.get(f"/fine_tuning/jobs/{job}/events", params=query).json()
            events += page["data"]
            if not page["has_more"]:
                return events[::-1]
            query["after"] = page["last_id"]

    def stop(self, sign: int = signal.SIGTERM) -> int:
        self.http.close()
        self.process.send_signal(sign)
        return self.process.wait(30)


def start_server(
    home: Path, *, key: str = "", port: str = "0", files: str = "", **environment: str
) -> Server:
    """Start a server; `key` is needed for a home that has printed its key before.

    files: how many it may have open."""
    home.mkdir(parents=True, exist_ok=True)
    log = home / "server.log"
    limited = ["prlimit", f"--nofile={files}:{files}"] if files else []
    serve = [sys.executable, "-m", "tunewright", "serve", "--home", str(home), "--port", port]
    process = subprocess.Popen(
        [*limited, *serve],
        stdout=subprocess.PIPE,
        stderr=log.open("a"),
        text=True,
        env={
            **os.environ,
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "OMP_NUM_THREADS": "1",
            **environment,
        },
    )
    assert process.stdout is not None
    printed, url = "", None
    for line in process.stdout:
        printed += line
        url = url or re.search(r"http://[\d.]+:\d+/v1", printed)
        found = re.search(r"sk-tw-[\w-]+", printed)
        if url and (found or key):
            return Server(home, process, url[0], found[0] if found else key, log)
    raise AssertionError(f"no server\n{printed}\n{log.read_text()}")


def chats(count: int) -> bytes:
    """Training rows as our sample has them."""
    sample = REPOSITORY / "src/tunewright/samples/sarcastic.jsonl"
    return b"".join(sample.read_bytes().splitlines(keepends=True)[:count])


def needs_data(name: str) -> Path:
    """A file of the development data; the test is skipped where it is absent."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} of the development data is not here")
    return path
