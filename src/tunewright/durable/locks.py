"""Who writes holds a lock on it (flock), which ends with the process."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InUse(Exception):
    """Another process, or another part of this one, has the file."""


def exclusive(handle: int) -> bool:
    """Take the lock of an open file for this handle alone; whether nobody else had it. Where the
    file system knows no locks, nobody has."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def in_use(path: Path) -> bool:
    """Whether a living process still writes `path`, a file or a directory of this package."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not exclusive(handle)
    finally:
        os.close(handle)


def claim(handle: int) -> None:
    with contextlib.suppress(OSError):  # a file system that knows no locks
        fcntl.flock(handle, fcntl.LOCK_SH)


@contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """`directory` is `in_use` for the length of a block."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        claim(handle)
        yield
    finally:
        os.close(handle)


@contextmanager
def only_one(directory: Path) -> Iterator[bool]:
    """Whether `directory` is this process's alone for the length of the block, by the same lock as
    `in_use`."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        yield exclusive(handle)
    finally:
        os.close(handle)


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Waits until `directory` is this block's alone, by the same lock. Briefly: it knows no
    deadline."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system that knows no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
