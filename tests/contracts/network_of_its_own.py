"""A server that opens its ports on every interface, in a network where nobody else is.

    with network_of_its_own([program, ...], port, log) as ours: ...  # 127.0.0.1:ours is its port

The namespaces of `unshare`: one of the network, whose only interface is its own loopback, and one
of processes, which ends all of them when its first does. A listening socket stays in the network
that it was made in, so that the process inside takes connections from outside, and hands them on.
"""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_WAIT = 240.0  # seconds for a server of 2024 on two busy cores


def _unshare() -> list[str]:
    """Skips where it is not there or not allowed."""
    if not (program := shutil.which("unshare")):
        pytest.skip("there is no unshare (util-linux), which makes a network of its own")
    mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
    made = [program, *mapped, "--net", "--pid", "--fork", "--kill-child"]
    tried = subprocess.run([*made, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no network of its own is allowed here: {tried.stderr.strip()}")
    return made


@contextmanager
def network_of_its_own(command: list[str], port: int, health: str, log: Path) -> Iterator[int]:
    """port: of the server, inside. health: the URL, inside, that is answered once it serves."""
    made = _unshare()
    with socket.create_server(("127.0.0.1", 0)) as outside, log.open("w") as out:
        told = [str(outside.fileno()), str(port), health, *command]
        inside = subprocess.Popen(
            [*made, sys.executable, __file__, *told],
            pass_fds=[outside.fileno()],
            stdin=subprocess.PIPE,  # whose end tells those inside that nobody is left outside
            stdout=subprocess.PIPE,
            stderr=out,
        )
        try:
            assert inside.stdout is not None
            assert inside.stdout.readline() == b"ready\n", log.read_text()[-3000:]
            yield outside.getsockname()[1]
        finally:
            inside.kill()  # and with it, by --kill-child, the first process inside, and all others
            inside.wait()


def _inside(descriptor: int, port: int, health: str, command: list[str]) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    threading.Thread(target=_until_nobody_is_left, daemon=True).start()
    server = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr
    )
    _wait(server, health)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    with socket.socket(fileno=descriptor) as outside:
        while True:
            taken, _ = outside.accept()
            there = socket.create_connection(("127.0.0.1", port))
            for one, other in ((taken, there), (there, taken)):
                threading.Thread(target=_hand_on, args=(one, other), daemon=True).start()


def _until_nobody_is_left() -> None:
    """This process is the first of its namespace: with it all others end."""
    sys.stdin.buffer.read()
    os._exit(1)


def _wait(server: subprocess.Popen[bytes], health: str) -> None:
    until = time.monotonic() + _WAIT
    while time.monotonic() < until:
        if server.poll() is not None:
            sys.exit(f"the server has ended with {server.returncode}")
        try:
            with urllib.request.urlopen(health, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    sys.exit(f"the server does not answer at {health}")


def _hand_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while some := source.recv(65_536):
            target.sendall(some)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # one of both is gone: so is the other
        for end in (source, target):
            end.close()


if __name__ == "__main__":
    _inside(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
