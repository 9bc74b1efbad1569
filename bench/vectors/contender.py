"""One engine's process, seen from the driver."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
OURS = ("ours", "ours_without_faiss", "ours_exact")
ENVIRONMENTS = {"chromadb": ".sdk/chroma"}  # the others': .sdk/vectors


class LeftOut(Exception):
    """Why a figure is missing; the table says it."""


class Contender:
    def __init__(
        self, name: str, cache: Path, count: int, log: Path, under: tuple[str, ...] = ()
    ) -> None:
        """under: a program that runs it, strace."""
        self.name, self.started = name, time.perf_counter()
        python = Path(sys.executable)
        if name not in OURS:
            folder = ENVIRONMENTS.get(name, ".sdk/vectors")
            python = HERE / folder / "bin" / "python"
            if not python.exists():
                raise LeftOut(f"make {folder}/.installed")
        script = Path(__file__).with_name("ours.py" if name in OURS else "rival_engines.py")
        self._log = log
        self._process = subprocess.Popen(
            [*under, str(python), str(script), name, str(cache), str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("a"),
            text=True,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.traits = self._answer(60)

    def _listen(self) -> None:
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def tell(self, do: str, **more) -> None:
        self._process.stdin.write(json.dumps({"do": do, **more}, default=str) + "\n")
        self._process.stdin.flush()

    def ask(self, do: str, limit: float = 60, **more) -> dict:
        """Raises LeftOut where it fails or takes more than `limit` seconds; it is killed then."""
        self.tell(do, **more)
        return self._answer(limit)

    def _answer(self, limit: float) -> dict:
        try:
            line = self._answers.get(timeout=limit)
        except queue.Empty:
            self.kill()
            raise LeftOut(f"over {limit:.0f} s") from None
        if not line:
            self.kill()
            last = self._log.read_text(errors="replace").strip().splitlines()[-1:]
            raise LeftOut(f"ended: {last}")
        found = json.loads(line)
        if "error" in found:
            raise LeftOut(found["error"])
        return found

    def resident(self) -> tuple[int, int]:
        """MB in memory, and of these what is no page of a file. Children count."""
        whole = alone = 0
        for process in [self._process.pid, *_children(self._process.pid)]:
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
            fields = dict(line.split(":", 1) for line in lines if ":" in line)
            whole += int(fields["VmRSS"].split()[0])
            alone += int(fields["RssAnon"].split()[0])
        return whole // 1024, alone // 1024

    def close(self) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """kill -9, its children too."""
        for process in [*_children(self._process.pid), self._process.pid]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for each in tasks.read_text().split():
            found += [int(each), *_children(int(each))]
    return found
