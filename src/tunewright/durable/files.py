"""Single files, and whatever is renamed, copied or removed."""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from tunewright.durable.locks import claim
from tunewright.errors import Corrupt, StorageFull

MARK = ".tmp-"
_OURS = re.compile(r".+\.tmp-\d+-[0-9a-f]{8}")
_CLONE = 0x40049409  # FICLONE
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def named_full_disk(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if _number(error) in _FULL:
            raise StorageFull(
                f"The disk that holds {path.parent} is full. Free some space and try again."
            ) from error
        raise


def _number(error: Exception) -> int | None:
    """The errno of an error: safetensors writes in Rust, and names it in its text only."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)|Os \{ code: (\d+)", str(error))
    return int(found[1] or found[2]) if found else None


def temporary(path: Path) -> Path:
    """A name beside `path` that `sweep` removes should it be left over."""
    return path.with_name(f"{path.name}{MARK}{os.getpid()}-{secrets.token_hex(4)}")


def is_temporary(path: Path) -> bool:
    """Whether `temporary` made the name. A base called ``x.tmp-1`` is none: what a folder of ours
    ends with is its fingerprint."""
    return bool(_OURS.fullmatch(path.name))


def sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_directory(path: Path) -> Path:
    """Create `path` (mode 0700) with its parents, each one's name synced; return it."""
    if not path.is_dir():
        make_directory(path.parent)
        with named_full_disk(path):
            path.mkdir(mode=0o700, exist_ok=True)
            sync_directory(path.parent)
    return path


class Upload:
    """Bytes that arrive in pieces, written beside their target, hashed and counted as they flow.

    Nothing is visible at `target` before `commit`; `discard` (or a crash and a `sweep`) leaves
    nothing behind, and so does a `with` block that ends before `commit`. Memory use does not depend
    on the size. It is `in_use` until `close`, which belongs after the record of a committed one.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.bytes = 0
        self._hash = hashlib.sha256()
        self._temporary = temporary(make_directory(target.parent) / target.name)
        with named_full_disk(target):
            self._file = self._temporary.open("xb")
        claim(self._file.fileno())

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, data: bytes | memoryview) -> None:
        with named_full_disk(self.target):
            self._file.write(data)
        self._hash.update(data)
        self.bytes += len(data)

    def commit(self) -> None:
        with named_full_disk(self.target):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._temporary.rename(self.target)
            sync_directory(self.target.parent)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # on a full disk: it tries to write what is buffered
            self._file.close()

    def discard(self) -> None:
        self.close()
        self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> "Upload":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.discard()  # after `commit` there is nothing left to remove


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` atomically; its directory is made if need be."""
    with Upload(path) as upload:
        upload.write(data)
        upload.commit()


def write_json(path: Path, value: Any) -> None:
    write_bytes(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))


def read_json(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise Corrupt(f"{path} is not the JSON that it should be: {error}") from error


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove(path: Path) -> None:
    """Delete a file or a tree, atomically out of sight first. A missing one is no error."""
    if not path.exists():
        return
    doomed = temporary(path)
    try:
        path.rename(doomed)
    except FileNotFoundError:  # somebody else removes it at this very moment
        return
    sync_directory(path.parent)
    if doomed.is_dir():
        shutil.rmtree(doomed)
    else:
        doomed.unlink()


def move(source: Path, target: Path) -> None:
    """Rename a file or directory within a file system; both parents are synced."""
    make_directory(target.parent)
    with named_full_disk(target):
        source.rename(target)
        sync_directory(target.parent)
        sync_directory(source.parent)


def move_unless_there(source: Path, target: Path) -> bool:
    """`move` a directory, but for where another process, perhaps at this very moment, has put one
    there: then False, and `source` stays."""
    try:
        move(source, target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def link_or_copy(source: Path, target: Path) -> None:
    """For files of ours only, which nobody writes to once they are there: with somebody else's the
    copy would change whenever the source is written in place."""
    try:
        os.link(source, target)
    except OSError:
        copy(source, target)


def copy(source: Path, target: Path) -> None:
    """The bytes of a file as they are now: shared with the source until one of both is written,
    where the file system can (Btrfs, XFS), else copied."""
    with source.open("rb") as old, target.open("xb") as new:
        try:
            fcntl.ioctl(new, _CLONE, old.fileno())
        except OSError:
            shutil.copyfileobj(old, new, 1024 * 1024)
        new.flush()
        os.fsync(new.fileno())
