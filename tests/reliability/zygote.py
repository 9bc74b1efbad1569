"""Real processes without their start-up time: forked from one that has imported torch already.

`Zygote` is a process that does nothing but fork. A test asks it for an engine, for a worker, and
the worker asks it for trainers: each is a process of its own, which can be killed and stopped. A
forked process runs the same `main` as ``python -m`` does; only the imports are saved (5 s each).
"""

import contextlib
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

HERE = Path(__file__)


class Forked:
    """A forked process, with as much of `subprocess.Popen` as the worker uses."""

    def __init__(self, address: str, wish: dict[str, Any], descriptors: Sequence[int]) -> None:
        self.returncode: int | None = None
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._connection.connect(address)
        socket.send_fds(self._connection, [orjson.dumps(wish)], list(descriptors))
        self.pid = int(self._connection.recv(64))

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._connection.settimeout(timeout)
            self.returncode = int(self._connection.recv(64) or -signal.SIGKILL)
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class Zygote:
    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "zygote")
        self._process = subprocess.Popen(
            [sys.executable, str(HERE), self.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # One arena: each reserves 64 MiB of addresses, which a limit on them would count.
            env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def fork(self, module: str, *given: str, log: Path, **environment: str) -> Forked:
        """`module`'s main with the arguments `given`; both outputs go to `log`."""
        wish = {"module": module, "given": given, "environment": environment}
        with log.open("ab") as file:
            reader, writer = os.pipe()
            forked = Forked(self.address, wish, (reader, file.fileno(), file.fileno()))
            os.close(reader)
        forked.stdin = writer  # pyright: ignore[reportAttributeAccessIssue]
        return forked

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def trainers_are_forked(address: str) -> None:
    """In a worker: start trainers from the zygote. Only the first one gets the fault; all get the
    limit of TRAINER_ADDRESS_SPACE_MIB."""
    from tunewright import children

    fault = {"TUNEWRIGHT_FAULT": os.environ.get("TRAINER_FAULT", "")}

    def start(command: list[str], *, stderr: Any, pass_fds: tuple[int, ...], **_: Any) -> Forked:
        stdin, stdout = os.pipe(), os.pipe()
        environment = {
            **fault,
            "ADDRESS_SPACE_MIB": os.environ.get("TRAINER_ADDRESS_SPACE_MIB", ""),
        }
        wish = {"module": command[1], "given": command[2:], "environment": environment}
        fault["TUNEWRIGHT_FAULT"] = ""
        forked = Forked(address, wish, (stdin[0], stdout[1], stderr.fileno(), *pass_fds))
        os.close(stdin[0])
        os.close(stdout[1])
        forked.stdin = os.fdopen(stdin[1], "wb")  # pyright: ignore[reportAttributeAccessIssue]
        forked.stdout = os.fdopen(stdout[0], "rb")  # pyright: ignore[reportAttributeAccessIssue]
        return forked

    children.start = start  # pyright: ignore[reportAttributeAccessIssue]


def _become(wish: dict[str, Any], descriptors: list[int]) -> None:
    """In the child: be that module's process."""
    from tunewright import faults

    os.setsid()
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.update(wish["environment"])
    faults.armed = faults.read(os.environ.get("TUNEWRIGHT_FAULT"))
    sys.argv = [wish["module"], *wish["given"]]
    if shift := os.environ.get("CLOCK_SHIFT"):  # seconds: of the time of day, as if it were set
        time_of_day = time.time
        time.time = lambda: time_of_day() + float(shift)
    if wish["module"] == "tunewright.work":
        from tunewright.work import assignment, worker

        worker.RETRY_SECONDS = 0.05
        assignment.SPACE_SECONDS = 0.2
        trainers_are_forked(os.environ["ZYGOTE"])
    if limit := os.environ.get("ADDRESS_SPACE_MIB"):
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + int(limit) * 1024 * 1024,) * 2)
    sys.exit(importlib.import_module(wish["module"] + ".__main__").main())


def _fork(connection: socket.socket, others: list[socket.socket]) -> int:
    data, descriptors, _, _ = socket.recv_fds(connection, 65536, 16)
    pid = os.fork()
    if pid:
        for descriptor in descriptors:
            os.close(descriptor)
        connection.send(str(pid).encode())
        return pid
    code = 1
    try:
        for other in [*others, connection]:
            other.close()
        signal.set_wakeup_fd(-1)
        _become(orjson.loads(data), descriptors)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)


def serve(address: str) -> None:
    import tunewright.generation.embedded
    import tunewright.serving.__main__
    import tunewright.training.__main__
    import tunewright.training.supervised
    import tunewright.work.__main__  # noqa: F401

    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address)
    listener.listen(64)
    os.write(1, b"ready\n")
    children: dict[int, socket.socket] = {}
    while True:
        ready = select.select([listener, sys.stdin], [], [], 0.01)[0]
        if sys.stdin in ready:  # closed: the test is over
            return
        if listener in ready:
            connection = listener.accept()[0]
            children[_fork(connection, [listener, *children.values()])] = connection
        while children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            with children.pop(pid) as connection, contextlib.suppress(OSError):
                connection.send(str(os.waitstatus_to_exitcode(status)).encode())


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.argv[1])
