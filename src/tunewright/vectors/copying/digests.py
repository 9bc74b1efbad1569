"""Sums of rows that are the same whatever order the rows are in."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from tunewright.vectors.filters import kind
from tunewright.vectors.index import Rows

_ALL = 2**128


@dataclass
class Digest:
    """Of some rows: how many, and the sum of their hashes, those of ids with attributes and those
    of ids with vectors. Rows that differ in anything have another one, but for one chance in 2^128.
    """

    rows: int = 0
    said: int = 0
    vectors: int = 0

    def add(self, rows: Rows) -> None:
        vectors = rows.vectors + np.float32(0)  # -0.0 and 0.0 are one
        for id, vector, attributes in zip(rows.ids, vectors, rows.attributes, strict=True):
            head = id.encode() + b"\0"
            self.said += _hash(head + _written(attributes))
            self.vectors += _hash(head + vector.astype("<f4", copy=False).tobytes())
        self.said, self.vectors = self.said % _ALL, self.vectors % _ALL
        self.rows += len(rows.ids)

    def wire(self) -> dict[str, Any]:
        """JSON's numbers are narrower."""
        return {"rows": self.rows, "said": f"{self.said:x}", "vectors": f"{self.vectors:x}"}

    @classmethod
    def of(cls, wire: Mapping[str, Any]) -> "Digest":
        return cls(wire["rows"], int(wire["said"], 16), int(wire["vectors"], 16))


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=16).digest())


def _written(attributes: Mapping[str, Any]) -> bytes:
    plain = {
        key: float(value) + 0.0 if kind(value) == "number" else value
        for key, value in attributes.items()
    }
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)


class Repeated:
    """Whether an id comes twice, in 16 bytes a row."""

    def __init__(self) -> None:
        self._hashes = bytearray()

    def add(self, ids: list[str]) -> None:
        for id in ids:
            self._hashes += hashlib.blake2b(id.encode(), digest_size=16).digest()

    def first(self) -> int | None:
        """The number of a row, from 0, whose id an earlier row has."""
        hashes = np.frombuffer(bytes(self._hashes), "V16")
        order = np.argsort(hashes, kind="stable")  # [n]
        again = np.flatnonzero(hashes[order][1:] == hashes[order][:-1])
        return int(order[again + 1].min()) if len(again) else None
