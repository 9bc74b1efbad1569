"""Writes a file: its keys, then where each tensor lies, then the tensors."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from tunewright.gguf.kinds import ALIGNMENT, Kind, Value

VERSION: Final = 3
_NUMBERS: Final = {
    "u": (Value.UINT32, "<I"),
    "i": (Value.INT32, "<i"),
    "f": (Value.FLOAT32, "<f"),
    "?": (Value.BOOL, "<?"),
}


@dataclass(frozen=True)
class Float:
    """A number that is stored with 32 bits."""

    value: float


Item = str | bool | int | Float | list[str] | np.ndarray
"""Whole numbers become UINT32. An array's numbers are int32 or float32."""


@dataclass(frozen=True)
class Tensor:
    """shape: rows first, as numpy has it. `rows` makes its numbers when they are written, uint8
    [rows, bytes of a row]."""

    name: str
    kind: Kind
    shape: tuple[int, ...]
    rows: Callable[[], np.ndarray]

    @property
    def bytes(self) -> int:
        return int(np.prod(self.shape)) // self.kind.block * self.kind.block_bytes


def write(path: Path, keys: dict[str, Item], tensors: Sequence[Tensor]) -> None:
    """A new file. Not durable by itself: write it into one of `durable`'s directories."""
    with path.open("xb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", VERSION, len(tensors), len(keys)))
        for name, value in keys.items():
            file.write(_text(name) + _value(value))
        start = 0
        for tensor in tensors:
            file.write(_place(tensor, start))
            start += _padded(tensor.bytes)
        _pad(file)
        for tensor in tensors:
            rows = tensor.rows()
            assert rows.nbytes == tensor.bytes, tensor.name
            file.write(np.ascontiguousarray(rows).data)
            _pad(file)


def _text(text: str) -> bytes:
    data = text.encode("utf-8")
    return struct.pack("<Q", len(data)) + data


def _value(value: Item) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", Value.STRING) + _text(value)
    if isinstance(value, list):
        head = struct.pack("<IIQ", Value.ARRAY, Value.STRING, len(value))
        return head + b"".join(map(_text, value))
    if isinstance(value, np.ndarray):
        type, layout = _NUMBERS[value.dtype.kind]
        head = struct.pack("<IIQ", Value.ARRAY, type, len(value))
        return head + value.astype(layout).tobytes()
    if isinstance(value, Float):
        return struct.pack("<If", Value.FLOAT32, value.value)
    type, layout = _NUMBERS["?" if isinstance(value, bool) else "u"]
    return struct.pack("<I", type) + struct.pack(layout, value)


def _place(tensor: Tensor, start: int) -> bytes:
    shape = tensor.shape[::-1]
    return (
        _text(tensor.name)
        + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        + struct.pack("<IQ", tensor.kind, start)
    )


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _pad(file: BinaryIO) -> None:
    here = file.tell()
    file.write(bytes(_padded(here) - here))
