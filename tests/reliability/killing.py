"""One job in real processes, struck once by a fault, and what must be true afterwards."""

import contextlib
import hashlib
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from zygote import Forked, Zygote

from servers import chats
from tunewright.app import Tunewright
from tunewright.home import Home
from tunewright.records.jobs import Checkpoint, Event, Job
from tunewright.records.models import Model
from tunewright.settings import Settings

STEPS, CHECKPOINTS = 6, 2
PATIENCE = 120.0


@dataclass
class Place:
    """A home with its workers. The engine is one for all homes: only its address is the home's.

    log: what the workers say. Not in the home, whose disk may be full."""

    zygote: Zygote
    tw: Tunewright
    log: Path
    workers: dict[str, Forked] = field(default_factory=dict)

    def worker(self, name: str, **environment: str) -> Forked:
        home = str(self.tw.home.root)
        environment |= {
            "ZYGOTE": self.zygote.address,
            "TUNEWRIGHT_LEASE_SECONDS": str(self.tw.settings.lease_seconds),
        }
        forked = self.zygote.fork("tunewright.work", home, name, log=self.log, **environment)
        self.workers[name] = forked
        return forked

    def job(self, rows: int = 12, **hyperparameters: object) -> str:
        file = self.tw.files.create(file=chats(rows), purpose="fine-tune", filename="chats.jsonl")
        given = {"n_epochs": 2, "batch_size": 4, **hyperparameters}
        return self.tw.jobs.create(
            model="gpt-3.5-turbo", training_file=file.id, seed=3, hyperparameters=given
        ).id

    def until(self, job: str, *statuses: str, restart: bool = True) -> Job:
        """The job, once it is in one of `statuses`. Dead workers are replaced, as a server does."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = self.tw.jobs.retrieve(job)
            if found.status in (statuses or ("succeeded", "failed", "cancelled")):
                return found
            for name, worker in list(self.workers.items()):
                if restart and worker.poll() is not None:
                    del self.workers[name]
                    self.tw.tasks.release_of_dead(name)
                    self.worker(f"{name}+")
            time.sleep(0.02)
        raise AssertionError(f"{job} is still {found.status}\n{self.told(job)}")

    def told(self, job: str) -> str:
        log = self.tw.home.job(job) / "log.txt"
        texts = [f"{e.level} {e.message}" for e in self.events(job)]
        return "\n".join([*texts, self.log.read_text()[-3000:], log.read_text()[-2000:]])

    def events(self, job: str) -> list[Event]:
        return self.tw.acting(self.tw.owner).shelf.all(Event, subject=job)

    def trainer(self, job: str) -> psutil.Process | None:
        """The trainer of `job`, if one runs: who holds the lock of its folder and is no worker."""
        lock = str(self.tw.home.job(job) / "lock")
        workers = {worker.pid for worker in self.workers.values()}
        for process in psutil.Process(self.zygote.pid).children():
            with contextlib.suppress(psutil.Error):
                if process.pid not in workers and lock in (f.path for f in process.open_files()):
                    return process
        return None

    def wrong(self, job: str, calm: str, *, kills: int = 1) -> list[str]:
        """Everything that is not as it must be when a job has succeeded, however it came there.

        kills: how often the trainer was killed at most; each time is told of."""
        found = self.tw.jobs.retrieve(job)
        if found.status != "succeeded":
            return [f"{found.status}: {self.told(job)}"]
        shelf, faults = self.tw.acting(self.tw.owner).shelf, []
        events = self.events(job)
        steps = [event.data["step"] for event in events if event.type == "metrics"]
        if steps != list(range(1, STEPS + 1)):
            faults.append(f"steps {steps}")
        texts = Counter(event.message for event in events)
        most = {text: kills if "ended unexpectedly" in text else 1 for text in texts}
        if again := [text for text, count in texts.items() if count > most[text]]:
            faults.append(f"said twice: {again}")
        made = [m for m in shelf.all(Model) if m.id.startswith("ft:") and ":ckpt-" not in m.id]
        if [m.id for m in made] != [found.fine_tuned_model]:
            faults.append(f"models {made}")
        checkpoints = [c.step_number for c in shelf.all(Checkpoint, subject=job)]
        if sorted(checkpoints) != [3, 6]:
            faults.append(f"checkpoints {checkpoints}")
        if litter := self.litter():
            faults.append(f"litter {litter}")
        if self.digest() != calm:
            faults.append("other weights")
        return faults

    def litter(self) -> list[Path]:
        """What is left half made. A worker tidies up after it has said that the job succeeded."""
        litter: list[Path] = []
        for _ in range(100):
            with contextlib.suppress(FileNotFoundError):  # it tidies while we look
                litter = list(self.tw.home.root.rglob("*.tmp-*"))
                if not litter:
                    return []
            time.sleep(0.05)
        return litter

    def digest(self) -> str:
        """sha256 of the one tuned model's weights."""
        (weights,) = self.tw.home.models.glob("*/adapter_model.safetensors")
        return hashlib.sha256(weights.read_bytes()).hexdigest()

    def close(self) -> None:
        for worker in self.workers.values():
            worker.kill()
        self.tw.close()
        self.tw.home.socket.unlink(missing_ok=True)


@contextlib.contextmanager
def place(zygote: Zygote, engine: Path, root: Path, **settings: float) -> Iterator[Place]:
    """A new home whose engine is the one that listens at `engine`."""
    handle, log = tempfile.mkstemp(dir=engine.parent, suffix=".txt")
    os.close(handle)
    made = Place(zygote, Tunewright(settings=Settings.read(root, **settings)), Path(log))
    socket = Home(made.tw.settings.home).socket
    socket.parent.mkdir(mode=0o700, exist_ok=True)
    socket.unlink(missing_ok=True)
    socket.symlink_to(engine)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(root, ignore_errors=True)


def still(process: Forked) -> None:
    """Stop a process, and wait until it stands still."""
    process.send_signal(signal.SIGSTOP)
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        time.sleep(0.005)


def go_on(process: Forked) -> None:
    os.kill(process.pid, signal.SIGCONT)
