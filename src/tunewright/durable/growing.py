"""Files that grow, of which what was acknowledged stays."""

import contextlib
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from tunewright.durable.files import make_directory, named_full_disk, sync_directory
from tunewright.durable.locks import InUse, exclusive
from tunewright.errors import Corrupt

_CHECKSUM = 8  # hex digits
_FRAME = b"%08x %b\n"
Place: TypeAlias = tuple[int, int]
"""Of a line in a `Spool`: where it begins, and its length, in bytes."""


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
            sync_directory(path.parent)
        self._path = path
        if not exclusive(self._file.fileno()):
            self._file.close()
            raise InUse(str(path))
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
