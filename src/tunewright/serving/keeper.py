"""Keeps an engine at hand: started when somebody connects, watched, ended when it hangs.

The engine's socket is bound here and kept, so callers wait in its queue while an engine starts, and
nobody has to ask whether one runs.
"""

import contextlib
import hashlib
import logging
import os
import selectors
import socket
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tunewright import children
from tunewright.errors import BadRequest
from tunewright.home import Home
from tunewright.serving.protocol import address

BACKOFF_SECONDS = 1.0
# An engine whose heart does not beat for so long is ended. Torch lets other threads run while it
# computes; this is for a machine that is overloaded.
SILENT_SECONDS = 15.0
LATE_SECONDS = 5.0  # from here on /healthz says so
START_SECONDS = 300.0  # until the first beat: importing torch from a slow disk
_TICK = 0.2
_LOOK_SECONDS = 1.0
_QUEUE = 128

log = logging.getLogger(__name__)


class Keeper:
    """`listen`, then `keep` in a thread."""

    def __init__(
        self,
        home: Home,
        environment: Mapping[str, str],
        stall_seconds: float = 60.0,
        generator: str = "embedded",
        command: Sequence[str] = (),
    ) -> None:
        """stall_seconds: so long may the engine's main loop stand still. generator: its name.
        command: arguments for Python, to start instead of the engine."""
        self._home = home
        self._environment = environment
        self._stall_seconds = stall_seconds
        self._command = command or ["-m", "tunewright.serving", "--generator", generator]
        self._child: children.Process | None = None
        self._silence = 0.0
        self._begun = False

    @property
    def hangs(self) -> bool:
        """Whether the engine that runs has given no sign of life for some time."""
        return self._child is not None and self._begun and self._silence > LATE_SECONDS

    def listen(self) -> "Door":
        """For `keep`. Raises BadRequest or OSError where no socket can be made."""
        self._home.engine_running.unlink(missing_ok=True)  # a killed server's
        return Door(self._home.socket)

    def keep(self, door: "Door", stopping: threading.Event) -> None:
        while not stopping.is_set():
            door.look()
            if door.knocked(_TICK):
                with contextlib.suppress(OSError):  # a mark for others, no more
                    self._home.engine_running.touch()
                self._run(door, stopping)
                self._home.engine_running.unlink(missing_ok=True)
        door.close()

    def terminate(self) -> None:
        child = self._child
        if child is not None:
            child.terminate()

    def kill(self) -> None:
        child = self._child
        if child is not None:
            child.kill()

    def _run(self, door: "Door", stopping: threading.Event) -> None:
        """Run an engine to its end. After one that ended at once, wait: no busy crash loop."""
        began = time.monotonic()
        mine, its = socket.socketpair()
        with mine:
            child = self._start(door, its)
            if child is None:
                stopping.wait(BACKOFF_SECONDS)
                return
            self._silence, self._begun, self._child = 0.0, False, child
            if stopping.is_set():
                child.terminate()
            self._watch(child, mine, door)
            self._child = None
        if not stopping.is_set():
            log.warning("the engine ended (%s); it is started again when needed", child.returncode)
            if time.monotonic() - began < BACKOFF_SECONDS:
                stopping.wait(BACKOFF_SECONDS)

    def _start(self, door: "Door", its: socket.socket) -> children.Process | None:
        listener = door.listener.fileno()
        options = ["--listen-fd", str(listener), "--watch-stdin"]
        options += ["--stall-seconds", str(self._stall_seconds)]
        try:
            with its:
                return children.start(
                    [*self._command, *options],
                    stdin=its.fileno(),
                    pass_fds=[listener],
                    environment=self._environment,
                )
        except OSError as error:  # no files, processes or memory left: later, perhaps
            log.warning("the engine cannot be started: %s", error)
            return None

    def _watch(self, child: children.Process, beats: socket.socket, door: "Door") -> None:
        """Until it has ended. Time in which this process itself stood still is not its silence."""
        before = time.monotonic()
        while child.poll() is None:
            self._beat(beats)
            now = time.monotonic()
            self._silence += min(now - before, 2 * _TICK)
            before = now
            limit = SILENT_SECONDS if self._begun else START_SECONDS
            if self._silence > limit:
                log.error("the engine gives no sign of life for %.0f s; it is ended", limit)
                child.kill()
                child.wait()
            if door.look():
                with contextlib.suppress(OSError):  # it is ending
                    socket.send_fds(beats, [b"."], [door.listener.fileno()])

    def _beat(self, beats: socket.socket) -> None:
        beats.settimeout(_TICK)
        try:
            if beats.recv(4096):
                self._silence, self._begun = 0.0, True
            else:
                time.sleep(_TICK)  # it has closed its end: it is ending
        except TimeoutError:
            return
        except OSError:
            time.sleep(_TICK)


class Door:
    """A listening Unix socket that only this user can reach, bound again when its file vanishes.

    The caller holds the home's lock, so a socket that is there already is a dead server's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next_look = 0.0
        self._bound: tuple[int, int] | None = None
        self.listener = self._bind()

    def look(self) -> bool:
        """Once a second, see whether the file is still ours; whether it had to be made anew."""
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + _LOOK_SECONDS
        if self._file() == self._bound:
            return False
        try:
            before, self.listener = self.listener, self._bind()
        except (OSError, BadRequest) as error:
            log.warning("the engine's socket is gone and cannot be made anew: %s", error)
            return False
        before.close()
        log.warning("%s had been removed; it is there again", self._path)
        return True

    def knocked(self, seconds: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener, selectors.EVENT_READ)
            return bool(selector.select(timeout=seconds))

    def close(self) -> None:
        self.listener.close()
        with contextlib.suppress(OSError):
            self._path.resolve().unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)

    def _file(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _bind(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            try:
                _bind(listener, self._path)
            except (OSError, BadRequest):
                self._bind_elsewhere(listener)
            listener.listen(_QUEUE)
            self._bound = self._file()
        except BaseException:
            listener.close()
            raise
        return listener

    def _bind_elsewhere(self, listener: socket.socket) -> None:
        """Where the home's file system holds no sockets, as some shared folders: it holds a link
        to one in the folder for temporary files."""
        name = hashlib.sha256(os.fsencode(self._path)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"tunewright-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise BadRequest(f"{folder} belongs to another user. Set TMPDIR to a folder of yours.")
        folder.chmod(0o700)
        target = folder / f"{name}.sock"
        _bind(listener, target)
        self._path.unlink(missing_ok=True)
        self._path.symlink_to(target)


def _bind(listener: socket.socket, path: Path) -> None:
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # Linux makes the file with this mode, from the first moment
        os.fchmod(listener.fileno(), 0o600)
    with address(path) as name:
        listener.bind(name)
    path.chmod(0o600)
