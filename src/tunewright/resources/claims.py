"""Who fills a job's folder has its lock: its maker, its trainer, who removes it. A folder whose job
is not recorded and that nobody claims is what a killed process has left."""

import fcntl
import os
from pathlib import Path
from typing import IO

from tunewright import durable


def claim_new(folder: Path) -> IO[bytes]:
    """Make the folder of a job to come. It is claimed until the file is closed, or its process
    ends."""
    while True:
        durable.make_directory(folder)
        if lock := _lock(folder, wait=True):
            return lock


def claim(folder: Path) -> IO[bytes] | None:
    """The same of a folder that is there; None where it is not, or somebody else has claimed it."""
    return _lock(folder, wait=False)


def _lock(folder: Path, *, wait: bool) -> IO[bytes] | None:
    try:
        lock = (folder / "lock").open("ab")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock.fileno()), (folder / "lock").stat()):
            return lock
    except (BlockingIOError, FileNotFoundError):  # taken, or removed at this very moment
        pass
    lock.close()
    return None
