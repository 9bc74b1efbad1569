"""Takes the header of a file apart. Nothing in it is believed: whatever is read is first compared
with what the file still holds, so that a forged length can neither take memory nor lead elsewhere.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from tunewright.errors import BadRequest
from tunewright.gguf.kinds import Value

LARGEST_HEADER: Final = 256 * 1024**2
"""Bytes; that of a vocabulary of 262,144 tokens has 8 MB."""
MOST_KEYS: Final = 4096
MOST_TENSORS: Final = 65_536
MOST_ITEMS: Final = 2**22  # of all arrays together
LONGEST_NAME: Final = 512  # bytes, of keys and tensors; the format says 64 for tensors

Single = str | int | float | bool
Metadata = dict[str, Single | list[str] | np.ndarray]
"""Arrays of numbers are numpy's, of one dimension."""

_NUMBERS: Final = {
    Value.UINT8: "<u1", Value.INT8: "<i1", Value.UINT16: "<u2", Value.INT16: "<i2",
    Value.UINT32: "<u4", Value.INT32: "<i4", Value.FLOAT32: "<f4", Value.BOOL: "<u1",
    Value.UINT64: "<u8", Value.INT64: "<i8", Value.FLOAT64: "<f8",
}  # fmt: skip


class Cursor:
    """Reads on in a file. `what` is being read: errors name it."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self.path = path
        self.size = os.fstat(file.fileno()).st_size
        self.position = 0
        self.what = "its first bytes"
        self._items = 0

    def refuse(self, why: str) -> BadRequest:
        return BadRequest(
            f"{self.path} cannot be read as GGUF: {why}. Fetch it again, or take another file of "
            "the model.",
            param="source",
        )

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > self.size:
            raise self.refuse(
                f"{self.what} would end at byte {end:,}, but the file has {self.size:,}"
            )
        if end > LARGEST_HEADER:
            raise self.refuse(
                f"{self.what} would end at byte {end:,}; a header has at most {LARGEST_HEADER:,}"
            )
        found = self._file.read(count)
        if len(found) != count:
            raise self.refuse("it became shorter while it was read")
        self.position = end
        return found

    def number(self, layout: str) -> int:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def text(self, longest: int = LARGEST_HEADER) -> str:
        count = self.number("<Q")
        if count > longest:
            raise self.refuse(f"{self.what} has {count:,} bytes; at most {longest:,} can be")
        found = self.take(count)
        try:
            return found.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.refuse(f"{self.what} is not UTF-8 (byte {error.start} of it)") from error

    def name(self, what: str) -> str:
        self.what = what
        found = self.text(LONGEST_NAME)
        if not found.isprintable() or not found:
            raise self.refuse(f"{what} is {found[:40]!r}")
        return found

    def value(self, type: int) -> Single | list[str] | np.ndarray:
        if type == Value.STRING:
            return self.text()
        if type == Value.ARRAY:
            return self._array()
        return self._numbers(type, 1)[0].item()

    def _array(self) -> list[str] | np.ndarray:
        type, count = self.number("<I"), self.number("<Q")
        self._items += count
        if self._items > MOST_ITEMS:
            raise self.refuse(f"{self.what} has {count:,} items; at most {MOST_ITEMS:,} can be")
        if type == Value.ARRAY:
            raise self.refuse(f"{self.what} is an array of arrays, which no known key is")
        if type == Value.STRING:
            return [self.text() for _ in range(count)]
        return self._numbers(type, count)

    def _numbers(self, type: int, count: int) -> np.ndarray:
        if type not in _NUMBERS:
            raise self.refuse(f"{self.what} has the type {type}, which GGUF does not know")
        layout = np.dtype(_NUMBERS[Value(type)])
        found = np.frombuffer(self.take(count * layout.itemsize), layout)
        return found.astype(bool) if type == Value.BOOL else found


def opening(cursor: Cursor) -> tuple[int, int]:
    """How many tensors and keys follow."""
    if cursor.size < 24 or cursor.take(4) != b"GGUF":
        raise cursor.refuse("it does not begin with the letters GGUF")
    version = cursor.number("<I")
    if version not in (2, 3):
        turned = version & 0xFFFF == 0
        raise cursor.refuse(
            "it was written for a big-endian machine"
            if turned
            else f"it has version {version} of the format; 2 and 3 are read"
        )
    tensors, keys = cursor.number("<Q"), cursor.number("<Q")
    for count, most, what in ((tensors, MOST_TENSORS, "tensors"), (keys, MOST_KEYS, "keys")):
        if count > most:
            raise cursor.refuse(f"it announces {count:,} {what}; at most {most:,} can be")
    return tensors, keys


def metadata(cursor: Cursor, count: int) -> Metadata:
    found: Metadata = {}
    for place in range(count):
        key = cursor.name(f"the name of key {place + 1}")
        if key in found:
            raise cursor.refuse(f"the key {key} is there twice")
        cursor.what = f"the key {key}"
        found[key] = cursor.value(cursor.number("<I"))
    return found
