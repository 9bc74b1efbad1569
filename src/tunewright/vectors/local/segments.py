"""Parts of a collection as files: written once, mapped into memory, thrown away when in doubt.

A file is a header of `_HEADER` bytes (JSON: where each array lies, and its crc32) and the arrays,
each at a multiple of 64 bytes. Whoever knows the header's crc32 knows every byte of the file.
"""

import mmap
import os
import secrets
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tunewright import durable
from tunewright.faults import fault
from tunewright.vectors.local.columns import Columns
from tunewright.vectors.local.rows import Part
from tunewright.vectors.local.view import Mask

_HEADER = 4096
_ALIGNED = 64
_FORMAT = 1
_TYPES: dict[str, str] = {
    "slots": "<i8",
    "vectors": "<f4",
    "lengths": "<f8",
    "codes": "<i4",
    "id_ends": "<i8",
    "ids": "u1",
    "attribute_ends": "<i8",
    "attributes": "u1",
}


class Damaged(Exception):
    """A file is not what was written."""


class Texts(Sequence[Any]):
    """Many short texts as one array of bytes, decoded when they are asked for."""

    def __init__(self, ends: NDArray[np.int64], data: NDArray[np.uint8], decoded: bool) -> None:
        self._ends, self._data, self._decoded = ends, data, decoded

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, at: Any) -> Any:
        start = int(self._ends[at - 1]) if at else 0
        text = self._data[start : int(self._ends[at])].tobytes()
        return text.decode() if self._decoded else text


def write(folder: Path, sources: Sequence[tuple[Part, Mask | None]]) -> tuple[str, int]:
    """A file of the live rows of these parts. Its name, and its header's crc32."""
    arrays = _arrays(sources)
    header = _header(arrays)
    name = f"rows-{int(arrays['slots'][0])}-{secrets.token_hex(4)}.seg"
    with durable.Upload(folder / name) as upload:
        upload.write(header)
        for array in arrays.values():
            data = np.ascontiguousarray(array).view(np.uint8).reshape(-1).data
            upload.write(data)
            upload.write(bytes(-len(data) % _ALIGNED))
        fault("vectors.segment")
        upload.commit()
    return name, zlib.crc32(header)


def _arrays(sources: Sequence[tuple[Part, Mask | None]]) -> dict[str, NDArray[Any]]:
    kept = [
        (part, np.arange(len(part)) if live is None else np.flatnonzero(live))
        for part, live in sources
    ]
    ids = [part.ids[row].encode() for part, rows in kept for row in rows.tolist()]
    numbers: dict[bytes, int] = {}
    codes = [
        numbers.setdefault(part.distinct[code], len(numbers))
        for part, rows in kept
        for code in part.codes[rows].tolist()
    ]
    return {
        "slots": np.concatenate([part.slots[rows] for part, rows in kept]),
        "vectors": np.concatenate([part.vectors[rows] for part, rows in kept]),
        "lengths": np.concatenate([part.lengths[rows] for part, rows in kept]),
        "codes": np.array(codes, np.int32),
        **_texts("id_ends", "ids", ids),
        **_texts("attribute_ends", "attributes", [*numbers]),
    }


def _texts(ends: str, data: str, texts: Sequence[bytes]) -> dict[str, NDArray[Any]]:
    return {
        ends: np.cumsum([len(text) for text in texts], dtype=np.int64),
        data: np.frombuffer(b"".join(texts), np.uint8),
    }


def _header(arrays: dict[str, NDArray[Any]]) -> bytes:
    at, listed = _HEADER, dict[str, Any]()
    for name, array in arrays.items():
        data = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
        listed[name] = {"at": at, "bytes": len(data), "crc32": zlib.crc32(data.data)}
        at += len(data) + -len(data) % _ALIGNED
    rows, dimensions = arrays["vectors"].shape
    said = {"format": _FORMAT, "rows": rows, "dimensions": dimensions, "arrays": listed}
    return orjson.dumps(said).ljust(_HEADER)


def read(folder: Path, name: str, crc32: int) -> Part:
    """The part that lies there, every byte of it looked at. Raises Damaged."""
    try:
        mapped = _mapped(folder / name)
        header = mapped[:_HEADER].tobytes()
        if zlib.crc32(header) != crc32:
            raise Damaged(f"the header of {name}")
        said = orjson.loads(header)
        arrays = {key: _array(mapped, key, place) for key, place in said["arrays"].items()}
        return _part(name, arrays, said["dimensions"])
    except (OSError, ValueError, KeyError) as error:
        raise Damaged(f"{name}: {error}") from error


def _mapped(path: Path) -> NDArray[np.uint8]:
    handle = os.open(path, os.O_RDONLY)
    try:
        # The mapping lives as long as an array of it, also when the file has been removed.
        return np.frombuffer(mmap.mmap(handle, 0, access=mmap.ACCESS_READ), np.uint8)
    finally:
        os.close(handle)


def _array(mapped: NDArray[np.uint8], name: str, place: dict[str, int]) -> NDArray[Any]:
    data = mapped[place["at"] : place["at"] + place["bytes"]]
    if len(data) != place["bytes"] or zlib.crc32(data.data) != place["crc32"]:
        raise Damaged(f"its {name}")
    return data.view(_TYPES[name])


def _part(name: str, arrays: dict[str, NDArray[Any]], dimensions: int) -> Part:
    distinct = Texts(arrays["attribute_ends"], arrays["attributes"], decoded=False)
    return Part(
        arrays["slots"],
        arrays["vectors"].reshape(-1, dimensions),
        arrays["lengths"],
        arrays["codes"],
        distinct,
        Columns(distinct),
        Texts(arrays["id_ends"], arrays["ids"], decoded=True),
        file=name,
    )
