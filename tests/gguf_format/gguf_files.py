"""GGUF files for tests: whole ones by the `gguf` package, forged ones byte by byte."""

import struct
from pathlib import Path
from typing import Any

STRING, ARRAY = 8, 9


def text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def key(name: str, type: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", type) + value


def tensor(name: str, shape: tuple[int, ...], kind: int, offset: int) -> bytes:
    """`shape` as it stands in the file: the length of a row first."""
    dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return text(name) + dimensions + struct.pack("<IQ", kind, offset)


def container(keys: list[bytes], tensors: list[bytes], data: bytes = b"", **more: Any) -> bytes:
    """`more`: magic, version, tensor_count and key_count, where they are not true."""
    head = more.get("magic", b"GGUF") + struct.pack(
        "<IQQ",
        more.get("version", 3),
        more.get("tensor_count", len(tensors)),
        more.get("key_count", len(keys)),
    )
    whole = head + b"".join(keys) + b"".join(tensors)
    return whole + bytes(-len(whole) % 32) + data


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
