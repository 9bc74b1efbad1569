"""A graph as a file beside the store: its making takes minutes for a large collection, reading it
a second. Disposable: what does not fit the rows that are there is made anew.

The file has no vectors: int8 rows are made of the store's. A hash of each tells whether they are
those that the graph was made of (a backup of the store may have been put back). Of a row that has
gone since, there is no int8 form any more: it stays in the graph as zeros, and is passed over.
"""

import logging
import mmap
import os
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tunewright import durable
from tunewright.errors import StorageFull
from tunewright.vectors.local import building, graphs, scans
from tunewright.vectors.local.accelerator import Accelerator, Recall, rows_of
from tunewright.vectors.local.scans import Codes, Scale
from tunewright.vectors.local.view import View

log = logging.getLogger(__name__)

_FORMAT = 1
_HEADER = 4096


def write(path: Path, made: Accelerator) -> None:
    """Where there is no room, or no directory any more, there is none."""
    codes = made.graph.rows.codes(np.arange(len(made)))
    centre = made.scale.centre
    arrays = {
        "slots": made.slots,
        "order": made.graph.order,
        "hashes": _hashes(codes),
        "centre": np.zeros(0, np.float32) if centre is None else centre,
        "links": made.graph.links(),
    }
    said = {
        "format": _FORMAT,
        "metric": made.scale.metric,
        "step": made.scale.step,
        "components": made.components,
        "recalls": [asdict(recall) for recall in made.recalls],
        "arrays": [
            {"name": name, "bytes": array.nbytes, "crc32": zlib.crc32(array.view(np.uint8).data)}
            for name, array in arrays.items()
        ],
    }
    header = orjson.dumps(said)
    try:
        with durable.Upload(path) as upload:
            upload.write(zlib.crc32(header).to_bytes(4, "little") + header.ljust(_HEADER - 4))
            for array in arrays.values():
                upload.write(array.view(np.uint8).tobytes())
            upload.commit()
    except (OSError, StorageFull) as error:
        log.warning("the graph of %s could not be kept: %s", path.parent, error)


def read(path: Path, view: View) -> Accelerator | None:
    """One of the rows of a view, or None where the file does not fit them, or is damaged."""
    try:
        said, arrays = _read(path)
        return _fitted(said, arrays, view)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        log.info("the graph in %s is not used, and made anew: %s", path, error)
        return None


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.uint8]]]:
    handle = os.open(path, os.O_RDONLY)
    try:
        mapped = np.frombuffer(mmap.mmap(handle, 0, access=mmap.ACCESS_READ), np.uint8)
    finally:
        os.close(handle)
    header = mapped[4:_HEADER].tobytes().rstrip(b" ")
    if zlib.crc32(header) != int.from_bytes(mapped[:4].tobytes(), "little"):
        raise ValueError("its header has changed")
    said = orjson.loads(header)
    arrays: dict[str, NDArray[np.uint8]] = {}
    at = _HEADER
    for place in said["arrays"]:
        data = mapped[at : at + place["bytes"]]
        if len(data) != place["bytes"] or zlib.crc32(data.data) != place["crc32"]:
            raise ValueError(f"its {place['name']} have changed")
        arrays[place["name"]] = data
        at += len(data)
    return said, arrays


def _fitted(said: dict[str, Any], arrays: dict[str, NDArray[np.uint8]], view: View) -> Accelerator:
    """Raises ValueError where it is of other rows."""
    if said["format"] != _FORMAT or said["metric"] != view.metric:
        raise ValueError("it is of another form")
    slots = arrays["slots"].view(np.int64)
    order = arrays["order"].view(np.int64)
    centre = arrays["centre"].view(np.float32) if len(arrays["centre"]) else None
    scale = Scale(view.metric, said["step"], centre)
    if said["components"] != scans.width(view.dimensions):
        raise ValueError("it has other dimensions")
    filled = _Filled(view, slots, scale)
    if not np.array_equal(
        _hashes(filled.codes)[filled.there], arrays["hashes"].view(np.uint64)[filled.there]
    ):
        raise ValueError("it is of other vectors")
    graph = graphs.opened(arrays["links"], filled.codes, view.metric, order)
    return Accelerator(
        sequence=view.sequence,
        slots=slots.copy(),
        sets=filled.sets,
        scale=scale,
        components=filled.codes.shape[1],
        lost=filled.lost,
        longest=filled.longest,
        rows=graph.rows,
        scan_seconds=building.seconds_of_scan(graph.rows, filled.codes),
        product_seconds=building.seconds_of_product(view),
        graph=graph,
        recalls=tuple(Recall(**recall) for recall in said["recalls"]),
    )


class _Filled:
    """int8 rows for these slots, those of a view: `there`, the others are zeros."""

    def __init__(self, view: View, slots: NDArray[np.int64], scale: Scale) -> None:
        self.codes: Codes = np.zeros((len(slots), scans.width(view.dimensions)), np.int8)
        self.there = np.zeros(len(slots), np.bool_)
        self.sets: list[Any] = []
        self.lost = self.longest = 0.0
        self._slots, self._scale = slots, scale
        start = 0
        for part, live in zip(view.parts, view.live, strict=True):
            rows = np.arange(len(part)) if live is None else np.flatnonzero(live)
            rows = rows[part.slots[rows] <= slots[-1]]
            if not len(rows):
                continue
            at = rows_of(slots, part.slots[rows])
            if not np.array_equal(slots[np.minimum(at, len(slots) - 1)], part.slots[rows]):
                raise ValueError("it lacks rows")
            # Rows that have gone are counted to the part that follows; whatever they match.
            end = int(at[-1]) + 1
            numbers = np.zeros(end - start, np.int32)
            numbers[at - start] = part.codes[rows]
            self.sets.append((numbers, part.columns))
            start = end
            for first in range(0, len(rows), building.BLOCK):
                some = slice(first, first + building.BLOCK)
                self._fill(at[some], part.vectors[rows[some]])
        if not self.sets:
            raise ValueError("none of its rows is there")
        numbers, columns = self.sets[-1]
        rest = np.zeros(len(slots) - start, np.int32)
        self.sets[-1] = np.concatenate([numbers, rest]), columns

    def _fill(self, at: NDArray[np.int64], vectors: Any) -> None:
        prepared = self._scale.prepared(vectors)
        some = self._scale.codes(prepared)
        self.codes[at], self.there[at] = some, True
        lost, longest = building.sizes(self._scale, prepared, some)
        self.lost, self.longest = max(self.lost, lost), max(self.longest, longest)


def _hashes(codes: Codes) -> NDArray[np.uint64]:
    """[n, D] -> [n]"""
    words = codes.view(np.uint64)  # [n, D / 8]
    odd = np.random.default_rng(0).integers(1, 1 << 63, words.shape[1], np.uint64) | np.uint64(1)
    hashes = np.empty(len(codes), np.uint64)
    for start in range(0, len(codes), building.BLOCK):
        some = slice(start, start + building.BLOCK)
        hashes[some] = (words[some] * odd).sum(axis=1, dtype=np.uint64)
    return hashes
