"""The engine's side of being watched: a byte a second to the parent while its loops get on."""

import faulthandler
import logging
import os
import socket
import stat
import time
from collections.abc import Callable, Sequence

from tunewright.generation.progress import Progress

SECONDS = 1.0

log = logging.getLogger(__name__)


def parent() -> socket.socket | None:
    """Standard input, where the parent made it a socket; None where it is a pipe or a terminal."""
    if not stat.S_ISSOCK(os.fstat(0).st_mode):
        return None
    return socket.socket(fileno=os.dup(0))


def beat(parent: socket.socket, watched: Sequence[Progress], stall_seconds: float) -> None:
    """Beat for ever, but not while one of its loops stands still: its parent then ends the
    process."""
    complained = False
    while True:
        stalled = any(progress.stalled(stall_seconds) for progress in watched)
        if not stalled:
            try:
                parent.send(b".", socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass  # it does not listen now; what lies there will do
            except OSError:  # it is gone, and so are we in a moment
                return
        elif not complained:
            log.error("nothing has moved for %g s; the threads stand here:", stall_seconds)
            faulthandler.dump_traceback(all_threads=True)
        complained = stalled
        time.sleep(SECONDS)


def follow(parent: socket.socket, listeners: Callable[[socket.socket], None]) -> None:
    """Hand on the listening sockets that the parent sends, until it is gone."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(parent, 1, 1)
        if not data:
            return
        for descriptor in descriptors:
            listeners(socket.socket(fileno=descriptor))
