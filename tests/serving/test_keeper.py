"""The engine's keeper: its socket is always there, and one that hangs is ended and started anew."""

import contextlib
import os
import signal
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tunewright.generation.progress import Progress
from tunewright.home import Home
from tunewright.serving import heartbeat, keeper
from tunewright.serving.keeper import Door, Keeper
from tunewright.serving.protocol import address

# In place of an engine: beats, answers each connection with its pid, and hangs when it is told so.
ENGINE = """
import os, socket, sys, threading, time
from tunewright.serving import heartbeat
parent, hangs = heartbeat.parent(), threading.Event()
def accept(listener):
    while True:
        sock, _ = listener.accept()
        sock.sendall(b"%d" % os.getpid())
        if sock.recv(1) == b"h":
            hangs.set()
def beat():
    while not hangs.wait(0.05):
        parent.send(b".")
start = lambda target, *args: threading.Thread(target=target, args=args, daemon=True).start()
start(accept, socket.socket(fileno=int(sys.argv[2])))
start(beat)
heartbeat.follow(parent, lambda listener: start(accept, listener))
"""


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Keeper, Path]]:
    for name, value in {"SILENT_SECONDS": 1.5, "LATE_SECONDS": 0.5, "_LOOK_SECONDS": 0.1}.items():
        monkeypatch.setattr(keeper, name, value)
    made = Keeper(Home(tmp_path), {}, command=["-c", ENGINE])
    door = made.listen()
    stopping = threading.Event()
    thread = threading.Thread(target=made.keep, args=(door, stopping))
    thread.start()
    yield made, Home(tmp_path).socket
    stopping.set()
    made.terminate()
    thread.join(10)
    assert not thread.is_alive()
    assert not Home(tmp_path).socket.exists()


def pid(path: Path, say: bytes = b"x") -> int:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        with address(path) as name:
            sock.connect(name)
        found = int(sock.recv(20))
        sock.sendall(say)
        return found


def test_an_engine_that_is_stopped_is_ended_and_the_next_caller_gets_a_new_one(
    kept: tuple[Keeper, Path],
) -> None:
    made, path = kept
    first = pid(path)
    assert pid(path) == first
    assert eventually(lambda: made._begun)
    assert not made.hangs
    os.kill(first, signal.SIGSTOP)
    assert eventually(lambda: made.hangs)
    assert pid(path) != first
    assert not made.hangs
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_an_engine_whose_main_loop_hangs_is_ended(kept: tuple[Keeper, Path]) -> None:
    made, path = kept
    first = pid(path)
    assert eventually(lambda: made._begun)
    assert pid(path, b"h") == first
    assert eventually(lambda: made.hangs)
    assert eventually(lambda: not psutil.pid_exists(first))
    assert pid(path) != first


def test_a_socket_that_vanishes_is_there_again_for_a_running_engine_too(
    kept: tuple[Keeper, Path],
) -> None:
    _, path = kept
    path.unlink()
    assert eventually(path.exists)
    first = pid(path)
    path.unlink()
    assert eventually(path.exists)
    assert pid(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_home_of_a_long_path_has_its_socket_in_it_too(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40) / ("deep" * 40)
    folder.mkdir(parents=True)
    door = Door(folder / "engine.sock")
    with socket.socket(socket.AF_UNIX) as sock, address(folder / "engine.sock") as name:
        sock.connect(name)
        assert door.knocked(5)
    door.close()
    assert not (folder / "engine.sock").exists()


def test_where_a_file_system_holds_no_sockets_the_home_holds_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, path = socket.socket.bind, tmp_path / "engine.sock"

    def bind(self: socket.socket, name: str) -> None:
        if name == str(path):
            raise PermissionError("no sockets here")
        plain(self, name)

    monkeypatch.setattr(keeper.socket.socket, "bind", bind)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(keeper.tempfile, "tempdir", None)
    door = Door(path)
    assert path.is_symlink()
    with socket.socket(socket.AF_UNIX) as sock, address(path) as name:
        sock.connect(name)
        assert door.knocked(5)
    path.resolve().unlink()  # as what clears that folder does
    monkeypatch.setattr(door, "_next_look", 0)
    assert door.look()
    with socket.socket(socket.AF_UNIX) as sock, address(path) as name:
        sock.connect(name)
    door.close()
    assert not path.is_symlink()


def test_no_beat_while_nothing_moves_and_each_part_that_ends_is_a_move(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: now[0])
    progress = Progress()
    progress.begin()
    now[0] = 59
    assert not progress.stalled(60)
    progress.mark()
    now[0] = 118
    assert not progress.stalled(60)
    now[0] = 120
    assert progress.stalled(60)
    progress.begin(20)
    now[0] = 1300
    assert not progress.stalled(60)
    progress.rest()
    now[0] = 1e9
    assert not progress.stalled(60)


def test_the_heart_stops_and_beats_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "SECONDS", 0.02)
    one, two = socket.socketpair()
    two.settimeout(10)
    progress = Progress()
    progress.rest()
    threading.Thread(target=heartbeat.beat, args=(one, (progress,), 0.05), daemon=True).start()
    assert two.recv(100)
    progress.begin()
    two.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        for _ in range(1000):  # 20 seconds of beats
            two.recv(1)
    assert progress.stalled(0.05)
    progress.mark()
    assert two.recv(100)
    two.close()
