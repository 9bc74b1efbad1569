"""A GGUF file, opened: what it says and where its tensors lie. Every size and place is checked."""

import math
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, TypeVar

import numpy as np

from tunewright.errors import BadRequest
from tunewright.gguf.header import Cursor, Metadata, metadata, opening
from tunewright.gguf.kinds import ALIGNMENT, OTHERS, Kind

T = TypeVar("T")
MOST_DIMENSIONS = 4


@dataclass(frozen=True)
class Stored:
    """A tensor in the file. `shape` has rows first, as numpy has it: GGUF writes it the other way
    round. `start` counts from the beginning of the file."""

    name: str
    kind: Kind
    shape: tuple[int, ...]
    start: int

    @property
    def rows(self) -> int:
        return math.prod(self.shape[:-1])

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)

    @property
    def row_bytes(self) -> int:
        return self.shape[-1] // self.kind.block * self.kind.block_bytes

    @property
    def bytes(self) -> int:
        return self.rows * self.row_bytes


class Reader:
    """An open file. `metadata` and `tensors` are in memory, the weights stay in the file.

    The file is read, not mapped: one that is cut while it is mapped would kill the process.
    Raises BadRequest, naming the key or the tensor, for what is not whole and consistent.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():  # a pipe would be waited for
            raise BadRequest(f"{path} is not a file.", param="source")
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise BadRequest(f"{path} cannot be read: {error.strerror}.", param="source") from error
        try:
            cursor = Cursor(self._file, path)
            tensors, keys = opening(cursor)
            self.metadata: Metadata = metadata(cursor, keys)
            self.tensors: dict[str, Stored] = _tensors(cursor, tensors, self._alignment())
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def refuse(self, why: str) -> BadRequest:
        """For `why` this file cannot be used, a sentence without its full stop."""
        return BadRequest(f"{self.path} cannot be used: {why}.", param="source")

    def rows(self, name: str, first: int = 0, count: int | None = None) -> np.ndarray:
        """Rows of a tensor as they are stored: uint8, (count, row_bytes); to its end by default."""
        stored = self.tensors[name]
        count = stored.rows - first if count is None else count
        size, place = count * stored.row_bytes, stored.start + first * stored.row_bytes
        found = np.empty(size, np.uint8)
        done, view = 0, found.data
        while done < size:  # one call reads 2 GiB at most
            got = os.preadv(self._file.fileno(), [view[done:]], place + done)
            if not got:
                raise self.refuse("it became shorter while it was read")
            done += got
        return found.reshape(count, stored.row_bytes)

    def get(self, key: str, kind: type[T]) -> T | None:
        """The value of a key, None where it is not there. Raises BadRequest for another type;
        a whole number may stand for a float."""
        if key not in self.metadata:
            return None
        found = _as(kind, self.metadata[key])
        if not isinstance(found, kind):
            raise self.refuse(f"its key {key} is not {_NAMES[kind]}")
        return found

    def need(self, key: str, kind: type[T]) -> T:
        found = self.get(key, kind)
        if found is None:
            raise self.refuse(f"its key {key} is missing")
        return found

    def _alignment(self) -> int:
        found = self.get("general.alignment", int)
        if found is None:
            return ALIGNMENT
        if not 0 < found <= 2**20 or found & (found - 1):
            raise self.refuse(f"its key general.alignment is {found}, which is not a power of two")
        return found


_NAMES: dict[type, str] = {
    str: "a text", int: "a whole number", float: "a number", bool: "true or false",
    list: "a list of texts", np.ndarray: "a list of numbers",
}  # fmt: skip


def _as(kind: type, value: object) -> object:
    """None for what Python takes for a number, and GGUF does not."""
    if isinstance(value, bool) and kind is int:
        return None
    return float(value) if kind is float and type(value) is int else value


def _tensors(cursor: Cursor, count: int, alignment: int) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
    for place in range(count):
        name = cursor.name(f"the name of tensor {place + 1}")
        if name in found:
            raise cursor.refuse(f"the tensor {name} is there twice")
        found[name] = _tensor(cursor, name, alignment)
    data = -(-cursor.position // alignment) * alignment
    placed = {name: _placed(cursor, stored, data) for name, stored in found.items()}
    _refuse_overlap(cursor, list(placed.values()))
    return placed


def _tensor(cursor: Cursor, name: str, alignment: int) -> Stored:
    cursor.what = f"the tensor {name}"
    dimensions = cursor.number("<I")
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        raise cursor.refuse(f"the tensor {name} has {dimensions} dimensions")
    shape = tuple(cursor.number("<Q") for _ in range(dimensions))[::-1]
    kind = _kind(cursor, name, cursor.number("<I"))
    start = cursor.number("<Q")
    if 0 in shape or shape[-1] % kind.block:
        raise cursor.refuse(
            f"the tensor {name} of the kind {kind.name} has the shape {list(shape)}; its rows "
            f"come in blocks of {kind.block}"
        )
    if start % alignment:
        raise cursor.refuse(f"the tensor {name} begins at {start:,}, not at a multiple "
                            f"of {alignment}")  # fmt: skip
    return Stored(name, kind, shape, start)


def _kind(cursor: Cursor, name: str, number: int) -> Kind:
    try:
        return Kind(number)
    except ValueError:
        called = OTHERS.get(number, f"number {number}")
        raise BadRequest(
            f"{cursor.path} cannot be used: its tensor {name} is stored as {called}, which is not "
            f"read. Take a file of {', '.join(kind.name for kind in Kind)}: most models are there "
            "as Q8_0 or Q4_K_M.",
            param="source",
        ) from None


def _placed(cursor: Cursor, stored: Stored, data: int) -> Stored:
    """With its place in the file instead of that among the data."""
    start = data + stored.start
    if start + stored.bytes > cursor.size:
        raise cursor.refuse(
            f"the tensor {stored.name} would end at byte {start + stored.bytes:,}, but the file "
            f"has {cursor.size:,}"
        )
    return Stored(stored.name, stored.kind, stored.shape, start)


def _refuse_overlap(cursor: Cursor, tensors: list[Stored]) -> None:
    for one, other in pairwise(sorted(tensors, key=lambda each: each.start)):
        if one.start + one.bytes > other.start:
            raise cursor.refuse(f"the tensors {one.name} and {other.name} overlap")
