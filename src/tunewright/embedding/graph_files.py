"""Where a model has its ONNX graph, and what that refers to outside of itself: read from its
bytes, before anything runs it.

The file is a protocol buffer (onnx.proto). Weights of more than 2 GB lie in files beside it, which
it names: by a path that may lead anywhere, if nobody looks.
"""

import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from tunewright.errors import BadRequest

GRAPHS = ("onnx/model.onnx", "model.onnx")  # where makers put it
_BYTES, _VARINT, _FIXED64, _FIXED32 = 2, 0, 1, 5
# Which fields of a message hold which messages, as far as they lead to tensors.
_FIELDS = {
    "model": {7: "graph", 25: "function"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
    "entry": {1: "key", 2: "value"},
}
_DEEPEST = 64


def graph_of(directory: Path) -> str | None:
    """The graph of a model's makers, relative to its directory."""
    return next((name for name in GRAPHS if (directory / name).is_file()), None)


def outside(graph: Path) -> list[Path]:
    """The files that `graph` keeps weights in, beside it.

    Raises BadRequest for a path that leads elsewhere, a file that is missing, or what is no ONNX.
    """
    if graph.stat().st_size == 0:
        raise _broken(graph)
    with graph.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            with memoryview(data) as whole:
                named = {name.decode() for name in _locations(whole, "model", 0)}
        except (ValueError, IndexError, UnicodeDecodeError) as error:
            raise _broken(graph) from error
    return [_beside(graph, name) for name in sorted(named)]


def _broken(graph: Path) -> BadRequest:
    return BadRequest(f"{graph} is not an ONNX file, or it is damaged.", param="source")


def _beside(graph: Path, name: str) -> Path:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in name or not path.parts:
        raise BadRequest(
            f"{graph} wants its weights from {name!r}, which is not beside it. Such a file could "
            "read any other: it is not used.",
            param="source",
            code="unsafe_path",
        )
    found = graph.parent / path
    if not found.is_file():
        raise BadRequest(f"{found} is missing: {graph.name} keeps weights in it.", param="source")
    return found


def _locations(data: memoryview, kind: str, depth: int) -> Iterator[bytes]:
    """Where tensors say that their data lies."""
    if depth > _DEEPEST:
        raise ValueError("too deep")
    if kind == "entry":
        found = {number: bytes(value) for number, value in _fields(data)}
        if found.get(1) == b"location":
            yield found.get(2, b"")
        return
    inner = _FIELDS[kind]
    for number, value in _fields(data):
        if number in inner:
            yield from _locations(value, inner[number], depth + 1)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields of a message that have a length, each with its number."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == _BYTES:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("cut off")
            yield tag >> 3, data[at : at + size]
            at += size
        elif wire == _VARINT:
            _, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            at += 8 if wire == _FIXED64 else 4
        else:
            raise ValueError("no protocol buffer")


def _varint(data: Sequence[int], at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("no number")
