"""`python -m tunewright.serving`: the engine on a Unix socket, until it is told to stop.

Prints one line, {"ready": true}, once it accepts connections; torch is imported by then.
SIGTERM ends it at once, as does the end of standard input with --watch-stdin.
"""

import argparse
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path

import orjson

from tunewright.errors import BadRequest, MissingExtra, TunewrightError
from tunewright.generation import open_generator
from tunewright.generation.absent import AbsentGenerator
from tunewright.generation.generator import Generator
from tunewright.serving.protocol import address
from tunewright.serving.server import Server


def main() -> int:
    options = _options()
    logging.basicConfig(format="engine: %(levelname)s %(message)s", level=logging.WARNING)
    if options.watch_stdin:
        # A Ctrl-C reaches the whole process group; when to end is then the parent's decision.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
    try:
        listener = _given(options.listen_fd) if options.socket is None else _bound(options.socket)
        server = Server(_generator(options.generator))  # imports torch: seconds
    except TunewrightError as error:
        _print({"ready": False, **error.body()})
        return 1
    listener.listen(128)  # from here on somebody who connects is served
    threading.Thread(target=server.accept, args=(listener,), name="acceptor", daemon=True).start()
    _print({"ready": True})
    server.run()
    return 0


def _generator(name: str) -> Generator:
    try:
        return open_generator(name)
    except MissingExtra as error:
        return AbsentGenerator(error)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tunewright.serving")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--socket", type=Path, help="path of the socket to make (mode 0600)")
    where.add_argument("--listen-fd", type=int, help="number of an inherited, listening socket")
    parser.add_argument("--generator", default="embedded", help="what generates")
    parser.add_argument("--watch-stdin", action="store_true", help="end when stdin closes")
    return parser.parse_args()


def _print(line: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def _end_with_stdin() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)  # the main thread may be deep inside torch, and there is nothing to save


def _given(descriptor: int) -> socket.socket:
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(True)
    return listener


def _bound(path: Path) -> socket.socket:
    """A socket at `path`, in place of a dead engine's. Raises BadRequest where one lives."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with address(path) as name:
        if _answers(name):
            raise BadRequest(f"Another engine listens on {path}.")
        path.unlink(missing_ok=True)
        before = os.umask(0o177)  # the mode must be right from the first moment on
        try:
            listener.bind(name)
        finally:
            os.umask(before)
    return listener


def _answers(name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(name) == 0


if __name__ == "__main__":
    sys.exit(main())
