"""`python -m tunewright.serving`: the engine on a Unix socket, until it is told to stop.

Prints one line, {"ready": true}, once it accepts connections; torch is imported by then.
SIGTERM ends it at once, as does the end of standard input with --watch-stdin. Where that is a
socket, the parent hears a byte a second while the engine gets on, and may send new listeners.
"""

import argparse
import contextlib
import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from tunewright import children
from tunewright.errors import BadRequest, TunewrightError, Unavailable
from tunewright.generation import GENERATORS, open_generator
from tunewright.generation.absent import AbsentGenerator
from tunewright.generation.generator import Generator
from tunewright.generation.progress import PROGRESS
from tunewright.serving import embedding_queue, heartbeat
from tunewright.serving.protocol import address
from tunewright.serving.server import Server
from tunewright.weights import libraries, onednn

log = logging.getLogger("tunewright.serving")


def main() -> int:
    options = _options()
    prepare_for_torch()
    logging.basicConfig(format="engine: %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("tunewright").setLevel(logging.INFO)
    listeners: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()
    parent = heartbeat.parent() if options.watch_stdin else None
    if options.watch_stdin:
        # A Ctrl-C reaches the whole process group; when to end is then the parent's decision.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if parent is None:
            children.end_with_parent()
        else:
            _in_thread(_end_with_server, parent, listeners.put)
    try:
        listener = _given(options.listen_fd) if options.socket is None else _bound(options.socket)
        began = time.monotonic()
        server = Server(_generator(options.generator))  # imports torch: seconds
        log.info("the engine has started: imports took %.1f s", time.monotonic() - began)
    except TunewrightError as error:
        _print({"ready": False, **error.body()})
        return 1
    if parent is not None:
        watched = (PROGRESS, embedding_queue.PROGRESS)
        _in_thread(heartbeat.beat, parent, watched, options.stall_seconds)
    listener.listen(128)  # from here on somebody who connects is served
    listeners.put(listener)
    _in_thread(_accept, server, listeners)
    _print({"ready": True})
    server.run()
    return 0


def prepare_for_torch() -> None:
    """What libraries read when they are imported."""
    # Threads that wait for one another spin so many times before they sleep. With no bound they
    # take the cores from whatever runs beside them; those that sleep at once (PASSIVE) make a token
    # of 135M parameters take 57 ms on two idle cores, with this it is 42, and 40 without a bound.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    os.environ.update({**onednn.CACHES, **os.environ})


def _in_thread(target: Callable[..., object], *args: object) -> None:
    threading.Thread(target=target, args=args, name=target.__name__, daemon=True).start()


def _accept(server: Server, listeners: "queue.SimpleQueue[socket.socket]") -> None:
    """A thread for each listening socket: an old one may have connections in its queue."""
    while True:
        _in_thread(server.accept, listeners.get())


def _generator(name: str) -> Generator:
    """Where there is none to be had, every request hears why: an engine that ended would be started
    again and again."""
    try:
        if name in GENERATORS.own:
            libraries.load()
        return open_generator(name)
    except BadRequest as error:  # the operator's setting, and no fault of who asks
        return AbsentGenerator(Unavailable(f"The setting `generator`: {error.message}"))
    except TunewrightError as error:
        return AbsentGenerator(error)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tunewright.serving")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--socket", type=Path, help="path of the socket to make (mode 0600)")
    where.add_argument("--listen-fd", type=int, help="number of an inherited, listening socket")
    parser.add_argument("--generator", default="embedded", help="what generates")
    parser.add_argument("--watch-stdin", action="store_true", help="end when stdin closes")
    parser.add_argument(
        "--stall-seconds", type=float, default=60.0, help="say nothing more when nothing moves"
    )
    return parser.parse_args()


def _print(line: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def _end_with_server(parent: socket.socket, listeners: Callable[[socket.socket], None]) -> None:
    with contextlib.suppress(OSError):
        heartbeat.follow(parent, listeners)
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
