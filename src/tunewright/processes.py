"""Starts and watches what a server consists of besides the API: the engine and the worker.

Children end when their standard input closes, so none outlives a killed server.
"""

import contextlib
import fcntl
import importlib.util
import logging
import threading
import time
from collections.abc import Callable
from typing import IO

from tunewright import children
from tunewright.errors import BadRequest, TunewrightError
from tunewright.generation import lacks_torch
from tunewright.home import Home
from tunewright.records.record import new_id
from tunewright.serving.keeper import BACKOFF_SECONDS, Keeper
from tunewright.settings import Settings

log = logging.getLogger(__name__)

SUCCESSION_SECONDS = 0.5

STOP_SECONDS = 8.0  # of the 10 that a stopping server may take


class Processes:
    def __init__(
        self, home: Home, settings: Settings, on_worker_death: Callable[[str], None]
    ) -> None:
        self._home = home
        self._environment = settings.for_children()
        self._engine = Keeper(
            home, self._environment, settings.engine_stall_seconds, settings.generator
        )
        self._generator = settings.generator
        self._on_worker_death = on_worker_death
        self._lock: IO[bytes] | None = None
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._children: dict[str, children.Process] = {}

    def lock(self) -> None:
        """Take the home for this process. Raises BadRequest if another one has it."""
        file = self._home.lock.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise BadRequest(
                f"Another server runs on {self._home.root}. Stop it first, or choose another "
                "--home.",
                code="home_in_use",
            ) from None
        self._lock = file

    def others_running(self) -> bool:
        """Whether some other process serves this home."""
        try:
            self.lock()
        except BadRequest:
            return True
        self._unlock()
        return False

    def start_or_succeed(self, start: Callable[[], None]) -> None:
        """`start` with the lock: now, or else as soon as the process that has it ends. Raises what
        `start` raises now; later it is tried again."""
        try:
            self.lock()
        except BadRequest:
            thread = threading.Thread(
                target=self._succeed, args=(start,), name="successor", daemon=True
            )
            thread.start()
            self._threads.append(thread)
            return
        start()

    def _succeed(self, start: Callable[[], None]) -> None:
        while not self._stopping.wait(SUCCESSION_SECONDS):
            try:
                self.lock()
                return start()
            except BadRequest:  # it still runs
                pass
            except Exception:
                log.exception("could not take over %s", self._home.root)
                self._unlock()
        return None

    def start(self) -> None:
        """Begin to listen for the engine, and run a worker. Needs the lock."""
        if importlib.util.find_spec("torch") is None:
            log.warning("torch is not installed: %s", _without_torch(self._generator))
        door = self._engine.listen()
        for name, target in (
            ("engine-keeper", lambda: self._engine.keep(door, self._stopping)),
            ("worker-keeper", self._keep_worker),
        ):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    @property
    def engine_hangs(self) -> bool:
        """Whether this server's engine has given no sign of life for some time."""
        return self._engine.hangs

    def stop(self) -> None:
        """End the children: politely, then, after STOP_SECONDS, for certain."""
        self._stopping.set()
        for child in list(self._children.values()):
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
        self._engine.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))
        for child in list(self._children.values()):
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        self._engine.kill()
        self._unlock()

    def _keep_worker(self) -> None:
        while not self._stopping.is_set():
            worker = new_id("worker-", 8)
            self._run("worker", ["-m", "tunewright.work", str(self._home.root), worker])
            self._tell_of_death(worker)

    def _tell_of_death(self, worker: str) -> None:
        while not self._stopping.is_set():
            try:
                self._on_worker_death(worker)
                break
            except (TunewrightError, OSError) as error:  # the catalog: busy, or no files to open
                log.warning("the tasks of %s wait: %s", worker, error)
                self._stopping.wait(BACKOFF_SECONDS)
            except Exception:  # whatever it is: without a keeper no worker is started again
                log.exception("the tasks of %s wait", worker)
                self._stopping.wait(BACKOFF_SECONDS)

    def _run(self, name: str, command: list[str]) -> None:
        """Run a child to its end. After one that ended at once, wait: no busy crash loop."""
        began = time.monotonic()
        try:
            child = children.start(command, environment=self._environment)
        except OSError as error:  # no files, processes or memory left: later, perhaps
            log.warning("the %s cannot be started: %s", name, error)
            self._stopping.wait(BACKOFF_SECONDS)
            return
        self._children[name] = child
        if self._stopping.is_set():
            child.terminate()
        code = child.wait()
        del self._children[name]
        if not self._stopping.is_set():
            log.warning("the %s ended (%s); it is started again when needed", name, code)
            if time.monotonic() - began < BACKOFF_SECONDS:
                self._stopping.wait(BACKOFF_SECONDS)

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _without_torch(generator: str) -> str:
    if lacks_torch(generator):
        return "embeddings work, chat and fine-tuning do not"
    return "embeddings and chat work, fine-tuning does not"
