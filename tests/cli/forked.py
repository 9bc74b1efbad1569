"""``python tests/cli/forked.py FD``: runs the command again and again, each time in a process of
its own that is forked from this one, which has imported what every command imports (a second of the
processor). Orders come as JSON lines over the socket FD, and each is answered by its exit status.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


class Commands:
    """The other end: what `subprocess.run` would say of ``python -m tunewright ARGUMENTS``."""

    def __init__(self, control: socket.socket) -> None:
        self._control, self._answers = control, control.makefile("rb")

    def run(
        self, *arguments: str, given: str, env: Mapping[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        with TemporaryDirectory() as directory:
            files = [str(Path(directory, name)) for name in ("in", "out", "err")]
            Path(files[0]).write_text(given, "utf-8")
            order = {"arguments": arguments, "env": dict(env), "cwd": os.getcwd(), "files": files}
            self._control.settimeout(seconds)
            self._control.sendall(json.dumps(order).encode() + b"\n")
            code = int(self._answers.readline())
            out, err = (Path(file).read_text("utf-8") for file in files[1:])
        return subprocess.CompletedProcess(arguments, code, out, err)


@contextlib.contextmanager
def commands() -> Iterator[Commands]:
    ours, theirs = socket.socketpair()
    script = [sys.executable, __file__, str(theirs.fileno())]
    with subprocess.Popen(script, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL) as process:
        theirs.close()
        try:
            yield Commands(ours)
        finally:
            ours.shutdown(socket.SHUT_RDWR)
            ours.close()
            process.wait(30)


def _next(control: socket.socket) -> None:
    """Returns in the process of each command, and never in this one."""
    for line in control.makefile("rb"):
        child = os.fork()
        if not child:
            control.close()
            return _become(json.loads(line))
        _, status = os.waitpid(child, 0)
        control.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(order: dict[str, Any]) -> None:
    ways = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT)
    for number, (file, way) in enumerate(zip(order["files"], ways, strict=True)):
        opened = os.open(file, way, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    sys.argv[1:] = order["arguments"]


if __name__ == "__main__":
    from importlib import import_module

    from tunewright import __main__, cli

    for name in ("tunewright.app", "tunewright.cli.commands", "tunewright.cli.opening"):
        import_module(name)
    sys.argv[0] = str(__main__.__file__)
    _next(socket.socket(fileno=int(sys.argv[1])))
    cli.main()
