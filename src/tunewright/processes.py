"""Starts and watches what a server consists of besides the API: the engine and the worker.

The engine's socket is bound here and kept: the engine starts when somebody first connects, and
again after it has died, while callers simply wait in the socket's queue. So nobody has to ask
whether it runs. Children end when their standard input closes, so none outlives a killed server.
"""

import contextlib
import fcntl
import importlib.util
import logging
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from tunewright.errors import BadRequest, TunewrightError
from tunewright.home import Home
from tunewright.records.record import new_id
from tunewright.settings import Settings

log = logging.getLogger(__name__)

STOP_SECONDS = 8.0  # of the 10 that a stopping server may take
BACKOFF_SECONDS = 1.0


class Processes:
    def __init__(
        self, home: Home, settings: Settings, on_worker_death: Callable[[str], None]
    ) -> None:
        self._home = home
        self._environment = settings.for_children()
        self._on_worker_death = on_worker_death
        self._lock: IO[bytes] | None = None
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._children: dict[str, subprocess.Popen[bytes]] = {}

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

    def start(self) -> None:
        """Begin to listen for the engine, and run a worker. Needs the lock."""
        if importlib.util.find_spec("torch") is None:
            log.warning("torch is not installed: embeddings work, chat and fine-tuning do not")
        listener = _listen(self._home.socket)
        self._home.engine_running.unlink(missing_ok=True)  # a killed server's
        for name, target in (
            ("engine-keeper", lambda: self._keep_engine(listener)),
            ("worker-keeper", self._keep_worker),
        ):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End the children: politely, then, after STOP_SECONDS, for certain."""
        self._stopping.set()
        for child in list(self._children.values()):
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))
        for child in list(self._children.values()):
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        self._unlock()

    def _keep_engine(self, listener: socket.socket) -> None:
        with listener, selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            while not self._stopping.is_set():
                if selector.select(timeout=0.2):
                    with contextlib.suppress(OSError):  # a mark for others, no more
                        self._home.engine_running.touch()
                    self._run("engine", _engine_command(listener), pass_fds=(listener.fileno(),))
                    self._home.engine_running.unlink(missing_ok=True)
        self._home.socket.unlink(missing_ok=True)

    def _keep_worker(self) -> None:
        while not self._stopping.is_set():
            worker = new_id("worker-", 8)
            self._run("worker", [*_python("tunewright.work"), str(self._home.root), worker])
            self._tell_of_death(worker)

    def _tell_of_death(self, worker: str) -> None:
        while not self._stopping.is_set():
            try:
                self._on_worker_death(worker)
                break
            except (TunewrightError, OSError) as error:  # the catalog: busy, or no files to open
                log.warning("the tasks of %s wait: %s", worker, error)
                self._stopping.wait(BACKOFF_SECONDS)

    def _run(self, name: str, command: list[str], pass_fds: tuple[int, ...] = ()) -> None:
        """Run a child to its end. After one that ended at once, wait: no busy crash loop."""
        began = time.monotonic()
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=pass_fds,
                env=os.environ | self._environment,
            )
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


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def _engine_command(listener: socket.socket) -> list[str]:
    return [*_python("tunewright.serving"), "--listen-fd", str(listener.fileno()), "--watch-stdin"]


def _listen(path: Path) -> socket.socket:
    """A listening Unix socket that only this user can reach. The caller holds the home's lock, so
    a socket file that is there already is a dead server's."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.parent.stat().st_uid != os.getuid():
        raise BadRequest(f"{path.parent} belongs to another user. Set TMPDIR to a folder of yours.")
    path.parent.chmod(0o700)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(128)
    return listener
