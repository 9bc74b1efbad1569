"""Archives and other encodings, as a plain UTF-8 file that lives as long as it is read."""

import bz2
import codecs
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tunewright.errors import BadRequest
from tunewright.tables.formats import BZIP2, ENCODINGS, GZIP, XZ, ZIP

_PIECE = 2**20
_PACKED: dict[bytes, Callable[[Path], Any]] = {GZIP: gzip.open, BZIP2: bz2.open, XZ: lzma.open}
_SUFFIXES = (".gz", ".bz2", ".xz", ".zip")


def plain(path: Path, head: bytes, keeping: ExitStack) -> Path | None:
    """A plain copy of a file that begins with `head`, in a folder that is removed with `keeping`;
    None where it is plain already. Raises BadRequest for what is damaged, or holds many files."""
    copy = _unpacking(path, head) or _decoding(path, head)
    if copy is None:
        return None
    folder = Path(keeping.enter_context(TemporaryDirectory(prefix="tunewright-")))
    name, pieces = copy
    try:
        with (folder / name).open("wb") as file:
            file.writelines(pieces)
    except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise BadRequest(f"{path.name} is damaged: {error}") from error
    except RuntimeError as error:  # a password, or a method that is not implemented
        raise BadRequest(
            f"{path.name} cannot be unpacked here: {error}. Unpack it and use what is inside."
        ) from error
    except UnicodeError as error:
        raise BadRequest(
            f"{path.name} is not the text that its first bytes say: {error}"
        ) from error
    return folder / name


def _unpacking(path: Path, head: bytes) -> tuple[str, Iterator[bytes]] | None:
    name = path.stem if path.suffix.lower() in _SUFFIXES else path.name
    for signature, opened in _PACKED.items():
        if head.startswith(signature):
            return name, _pieces(partial(opened, path))
    if head.startswith(ZIP) and (inside := _member(path)):
        return Path(inside).name, _pieces(lambda: zipfile.ZipFile(path).open(inside))
    return None


def _member(path: Path) -> str | None:
    """The one file in a zip archive; None for a workbook, which is such an archive too."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile:
        return None
    if any(name.startswith("xl/") for name in names):
        return None
    if len(names) != 1:
        what = f"{path.name} is a zip archive of {len(names):,} files."
        raise BadRequest(f"{what} Unpack it and name one of them.")
    return names[0]


def _decoding(path: Path, head: bytes) -> tuple[str, Iterator[bytes]] | None:
    for mark, encoding in ENCODINGS:
        if head.startswith(mark):
            return path.name, _utf8(path, encoding)
    return None


def _utf8(path: Path, encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    for piece in _pieces(lambda: path.open("rb")):
        yield decoder.decode(piece).encode()
    yield decoder.decode(b"", final=True).encode()


def _pieces(opened: Callable[[], Any]) -> Iterator[bytes]:
    with opened() as file:
        while piece := file.read(_PIECE):
            yield piece
