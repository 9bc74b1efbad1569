"""The only module that writes files that must last.

The recipe is tmp + fsync + rename + fsync(directory): of every crash state of a replacement, none
is torn and none that was acknowledged is lost (without the directory's fsync, 1 of 6 is). Temporary
names end in ``.tmp-<pid>-<random>`` so that `sweep` can remove what a killed process left. Who
writes holds a lock on it (flock), which ends with the process: `in_use` tells the two apart.
"""

import contextlib
import errno
import fcntl
import glob
import hashlib
import os
import re
import secrets
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from tunewright.errors import Corrupt, StorageFull
from tunewright.faults import fault

MANIFEST = "manifest.json"
_TMP = ".tmp-"
_OURS = re.compile(r".+\.tmp-\d+-[0-9a-f]{8}")
_CLONE = 0x40049409  # FICLONE
_CHECKSUM = 8  # hex digits
_FRAME = b"%08x %b\n"
Place: TypeAlias = tuple[int, int]
"""Of a line in a `Spool`: where it begins, and its length, in bytes."""
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
    return path.with_name(f"{path.name}{_TMP}{os.getpid()}-{secrets.token_hex(4)}")


def is_temporary(path: Path) -> bool:
    """Whether `temporary` made the name. A base called ``x.tmp-1`` is none: what a folder of ours
    ends with is its fingerprint."""
    return bool(_OURS.fullmatch(path.name))


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def in_use(path: Path) -> bool:
    """Whether a living process still writes `path`, a file or a directory of this module."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system that knows no locks
        return False
    finally:
        os.close(handle)
    return False


def _claim(handle: int) -> None:
    with contextlib.suppress(OSError):  # a file system that knows no locks
        fcntl.flock(handle, fcntl.LOCK_SH)


@contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """`directory` is `in_use` for the length of a block."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        _claim(handle)
        yield
    finally:
        os.close(handle)


def make_directory(path: Path) -> Path:
    """Create `path` (mode 0700) with its parents, each one's name synced; return it."""
    if not path.is_dir():
        make_directory(path.parent)
        with named_full_disk(path):
            path.mkdir(mode=0o700, exist_ok=True)
            _sync_directory(path.parent)
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
        _claim(self._file.fileno())

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        with named_full_disk(self.target):
            self._file.write(data)
        self._hash.update(data)
        self.bytes += len(data)

    def commit(self) -> None:
        with named_full_disk(self.target):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._temporary.rename(self.target)
            _sync_directory(self.target.parent)

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


class Growing:
    """A file that grows by steps: what was written is safe once `sync` has returned.

    Opened again it goes on after its first `size` bytes, and what a killed process had written
    behind them is cut off. Raises Corrupt where it is shorter.
    """

    def __init__(self, path: Path, size: int = 0) -> None:
        self.path = path
        self.bytes = size
        there = path.stat().st_size if path.exists() else 0
        if there < size:
            raise Corrupt(f"{path} has {there:,} bytes; {size:,} were written.")
        with named_full_disk(path):
            self._file = path.open("r+b" if path.exists() else "x+b")
            self._file.truncate(size)
            self._file.seek(size)

    def write(self, data: bytes | memoryview) -> None:
        with named_full_disk(self.path):
            self._file.write(data)
        self.bytes += len(data)

    def sync(self) -> None:
        with named_full_disk(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def read(self, offset: int, size: int) -> bytes:
        """Of what was synced."""
        return os.pread(self._file.fileno(), size, offset)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # on a full disk: it tries to write what is buffered
            self._file.close()


@contextmanager
def only_one(directory: Path) -> Iterator[bool]:
    """Whether `directory` is this process's alone for the length of the block, by the same lock as
    `in_use`."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:  # a file system that knows no locks
            pass
        yield True
    finally:
        os.close(handle)


class InUse(Exception):
    """Another process, or another part of this one, has the file."""


class Spool:
    """Lines that are appended to a file, by one owner at a time. Those for which `append` has
    returned stay, whatever happens; of the others none is ever seen.

    Each stands behind its checksum (crc32): what was not synced yet may come back with a hole in
    it after a power cut. Opening cuts the file off before the first line that is not whole.
    """

    def __init__(self, path: Path) -> None:
        """Raises InUse where somebody has it open."""
        make_directory(path.parent)
        with named_full_disk(path):
            self._file = path.open("a+b", buffering=0)
            _sync_directory(path.parent)
        self._path = path
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise InUse(str(path)) from None
        except OSError:  # a file system that knows no locks
            pass
        self.bytes = sum(len(_FRAME % (0, line)) for _, line in self.lines())
        self._file.truncate(self.bytes)

    def lines(self) -> Iterator[tuple[Place, bytes]]:
        """Each line, with where it lies, up to the first that is not whole."""
        at = 0
        with self._path.open("rb") as file:
            for framed in file:
                checksum, _, line = framed.removesuffix(b"\n").partition(b" ")
                if framed != _FRAME % (zlib.crc32(line), line) or len(checksum) != _CHECKSUM:
                    return
                yield (at + _CHECKSUM + 1, len(line)), line
                at += len(framed)

    def append(self, lines: Sequence[bytes]) -> list[Place]:
        """Where each line lies. Raises StorageFull, and then none of them is there."""
        framed = [_FRAME % (zlib.crc32(line), line) for line in lines]
        places, at = list[Place](), self.bytes
        for line, whole in zip(lines, framed, strict=True):
            places.append((at + _CHECKSUM + 1, len(line)))
            at += len(whole)
        try:
            with named_full_disk(self._path):
                rest = memoryview(b"".join(framed))
                while rest:
                    rest = rest[os.write(self._file.fileno(), rest) :]
                os.fsync(self._file.fileno())
        except BaseException:
            self._file.truncate(self.bytes)
            raise
        self.bytes = at
        return places

    def read(self, place: Place) -> bytes:
        """The line that lies there."""
        return os.pread(self._file.fileno(), place[1], place[0])

    def close(self) -> None:
        self._file.close()


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


def _files(directory: Path) -> list[Path]:
    return sorted(p for p in directory.rglob("*") if p.is_file() and p.name != MANIFEST)


def write_manifest(directory: Path, about: dict[str, Any] | None = None) -> None:
    """List every file below `directory` with its bytes and sha256, and `about` beside them."""
    files = {
        str(path.relative_to(directory)): {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in _files(directory)
    }
    said = {"about": about or {}, "files": files}
    write_json(directory / MANIFEST, {**said, "sha256": _sha256_of(said)})


def _sha256_of(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _sync_tree(directory: Path) -> None:
    for path in [*_files(directory), *filter(Path.is_dir, directory.rglob("*"))]:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    _sync_directory(directory)


@contextmanager
def directory(target: Path, about: dict[str, Any] | None = None) -> Iterator[Path]:
    """Fill a directory that appears whole or not at all.

    Yields a temporary directory beside `target`. When the block ends well, every file in it is
    synced, a manifest with sha256 sums (and `about`) is added, and the directory is renamed to
    `target`, which must not exist. When the block raises, nothing remains.
    """
    staging = temporary(make_directory(target.parent) / target.name)
    try:
        with named_full_disk(target):
            staging.mkdir(mode=0o700)
            with claimed(staging):
                yield staging
                write_manifest(staging, about)
                fault("directory.filled")
                _sync_tree(staging)
                fault("directory.synced")
                staging.rename(target)
                fault("directory.renamed")
                _sync_directory(target.parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


@contextmanager
def scratch(target: Path) -> Iterator[Path]:
    """A directory beside `target` for the length of a block, removed at its end, or by `sweep`
    where the process was killed."""
    staging = temporary(make_directory(target.parent) / target.name)
    try:
        with named_full_disk(target):
            staging.mkdir(mode=0o700)
            with claimed(staging):
                yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def manifest(directory: Path) -> dict[str, Any]:
    """The manifest of `directory`: about and files. The files themselves are not looked at.
    Raises Corrupt where there is none, or one that has changed."""
    path = directory / MANIFEST
    if not path.is_file():
        raise Corrupt(f"{directory} has no {MANIFEST}: it was never written to its end.")
    found = read_json(path)
    if not isinstance(found, dict) or not {"about", "files"} <= found.keys():
        raise Corrupt(f"{path} is not a manifest.")
    said = {"about": found["about"], "files": found["files"]}
    if found.get("sha256", _sha256_of(said)) != _sha256_of(said):
        raise Corrupt(f"{path} has changed since it was written (sha256 differs).")
    return said


def verify(directory: Path) -> dict[str, Any]:
    """Check every file against the manifest and return the manifest.

    safetensors has no checksum of its own: of 200 bit flips in its data none is noticed.
    Raises Corrupt naming the file.
    """
    found = manifest(directory)
    for name, entry in found["files"].items():
        path = directory / name
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            raise Corrupt(f"{path} is missing or not {entry['bytes']} bytes long.")
        if sha256(path) != entry["sha256"]:
            raise Corrupt(f"{path} has changed since it was written (sha256 differs).")
    return found


def fingerprint(directory: Path) -> str:
    """A short name for the exact content of a manifested directory: 16 hex digits.

    What its `about` has under `identity` is part of it: what is made of the same files in another
    way is another thing."""
    said = manifest(directory)
    identity = said["about"].get("identity")
    return _sha256_of([said["files"], identity] if identity else said["files"])[:16]


def remove(path: Path) -> None:
    """Delete a file or a tree, atomically out of sight first. A missing one is no error."""
    if not path.exists():
        return
    doomed = temporary(path)
    try:
        path.rename(doomed)
    except FileNotFoundError:  # somebody else removes it at this very moment
        return
    _sync_directory(path.parent)
    if doomed.is_dir():
        shutil.rmtree(doomed)
    else:
        doomed.unlink()


def move(source: Path, target: Path) -> None:
    """Rename a file or directory within a file system; both parents are synced."""
    make_directory(target.parent)
    with named_full_disk(target):
        source.rename(target)
        _sync_directory(target.parent)
        _sync_directory(source.parent)


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


def link(source: Path, target: Path) -> None:
    """`target` becomes a directory with the same files (not folders) as `source`, manifest and all.

    They are hard-linked where the file system allows, so they last when `source` is removed.
    """
    staging = temporary(make_directory(target.parent) / target.name)
    staging.mkdir(mode=0o700)
    try:
        with named_full_disk(target), claimed(staging):
            for file in source.iterdir():
                link_or_copy(file, staging / file.name)
            _sync_directory(staging)
            staging.rename(target)
            _sync_directory(target.parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def copy_tree(source: Path, target: Path) -> None:
    """Copy a directory of ours, without its manifest, to a place of the user's, where it appears
    whole or not at all. `target` may be an empty directory. Its modes are the user's own.

    What an earlier attempt of a killed process has left beside it goes first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for litter in target.parent.glob(f"{glob.escape(target.name)}{_TMP}*"):
        if is_temporary(litter) and not in_use(litter):
            shutil.rmtree(litter, ignore_errors=True)
    staging = temporary(target)
    try:
        with named_full_disk(target):
            staging.mkdir()
            with claimed(staging):
                for file in _files(source):
                    place = staging / file.relative_to(source)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    copy(file, place)
                _sync_tree(staging)
                staging.rename(target)
                _sync_directory(target.parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


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


def sweep(root: Path) -> int:
    """Remove what killed processes left half written below `root`; return how many entries.

    What a living process writes, such as an upload by the command line, is left alone."""
    litter = [path for path in _temporaries(root) if path.exists() and not in_use(path)]
    for path in litter:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(litter)


def _temporaries(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        if MANIFEST in files:  # whole: what is in it belongs to it, whatever it is called
            folders.clear()
            continue
        for name in (*folders, *files):
            if is_temporary(Path(name)):
                yield Path(folder, name)
        folders[:] = [name for name in folders if not is_temporary(Path(name))]
