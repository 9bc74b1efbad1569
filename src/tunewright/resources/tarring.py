"""A directory of ours as a tar archive that is made while it is sent."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

from tunewright import durable

_PIECE = 256 * 1024


def tar(directory: Path) -> Iterator[bytes]:
    """Its files, without its manifest, in a folder of its name. Equal for equal files: nobody's
    names or ids are in it, and times are those of the manifest."""
    for file in _files(directory):
        yield _head(directory, file)
        yield from _pieces(file)
        yield bytes(-file.stat().st_size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def tar_size(directory: Path) -> int:
    """Bytes of the archive."""
    size = 2 * tarfile.BLOCKSIZE
    for file in _files(directory):
        content = file.stat().st_size
        size += len(_head(directory, file)) + content + -content % tarfile.BLOCKSIZE
    return size


def _files(directory: Path) -> list[Path]:
    return [directory / name for name in sorted(durable.manifest(directory)["files"])]


def _head(directory: Path, file: Path) -> bytes:
    info = tarfile.TarInfo(f"{directory.name}/{file.relative_to(directory)}")
    info.size = file.stat().st_size
    info.mtime = int((directory / durable.MANIFEST).stat().st_mtime)
    return info.tobuf(tarfile.PAX_FORMAT)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
