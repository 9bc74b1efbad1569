"""How far a copy has come: a small file, replaced after each page."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from tunewright import durable
from tunewright.errors import BadRequest
from tunewright.vectors.copying.digests import Digest
from tunewright.vectors.copying.ends import Mark
from tunewright.vectors.index import Floats

SAMPLE = 20  # rows whose neighbours are looked for at the end


@dataclass
class Sample:
    """Some rows of all, whichever order they come in: those whose ids have the smallest hashes."""

    rows: dict[str, tuple[str, str]] = field(default_factory=dict)  # hash -> id, vector in base64

    def offer(self, ids: list[str], vectors: Floats) -> None:
        for id, vector in zip(ids, vectors, strict=True):
            key = hashlib.blake2b(id.encode(), digest_size=8).hexdigest()
            if len(self.rows) < SAMPLE or key < max(self.rows):
                raw = vector.astype("<f4").tobytes()
                self.rows[key] = id, base64.b64encode(raw).decode()
                if len(self.rows) > SAMPLE:
                    del self.rows[max(self.rows)]

    def taken(self, dimensions: int) -> tuple[list[str], Floats]:
        """Ids [m], vectors [m, d]."""
        found = [self.rows[key] for key in sorted(self.rows)]
        raw = b"".join(base64.b64decode(vector) for _, vector in found)
        vectors = np.frombuffer(raw, "<f4").astype(np.float32).reshape(-1, dimensions)
        return [id for id, _ in found], vectors


@dataclass
class Position:
    """`checked`: all rows that there were, when each was asked for before the first was written;
    None: not all of them yet. `written`: those up to the mark `after`, which is past `read` rows
    and `pages` pages of the source. `most`: as many rows as any run has known to be written."""

    version: str = ""
    checked: Digest | None = None
    sample: Sample = field(default_factory=Sample)
    begun: bool = False
    after: Mark | None = None
    read: int = 0
    pages: int = 0
    written: Digest = field(default_factory=Digest)
    most: int = 0

    def again(self) -> None:
        """From the first row on, into what is there."""
        self.checked, self.sample = None, Sample()
        self.after, self.read, self.pages, self.written = None, 0, 0, Digest()

    def wire(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "checked": self.checked and self.checked.wire(),
            "sample": self.sample.rows,
            "begun": self.begun,
            "after": self.after,
            "read": self.read,
            "pages": self.pages,
            "written": self.written.wire(),
            "most": self.most,
        }

    @classmethod
    def of(cls, wire: Mapping[str, Any]) -> "Position":
        return cls(
            wire["version"],
            Digest.of(wire["checked"]) if wire["checked"] else None,
            Sample({key: (id, vector) for key, (id, vector) in wire["sample"].items()}),
            wire["begun"],
            wire["after"],
            wire["read"],
            wire["pages"],
            Digest.of(wire["written"]),
            wire["most"],
        )


class Kept:
    """The position of one copy, by what is copied, and in a folder that nobody else has."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "position.json"
        there = self._path.exists()
        self.position = Position.of(durable.read_json(self._path)) if there else Position()

    def save(self) -> None:
        durable.write_bytes(self._path, orjson.dumps(self.position.wire()))

    def forget(self) -> None:
        durable.remove(self._path)


@contextmanager
def kept(folder: Path, what: Mapping[str, Any]) -> Iterator[Kept]:
    """Of the copy that `what` names. Raises BadRequest where it is under way."""
    name = hashlib.sha256(orjson.dumps(what, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    place = durable.make_directory(folder / name)
    with durable.only_one(place) as mine:
        if not mine:
            raise BadRequest("This copy is under way already, in another process. Wait for it.")
        found = Kept(place)
        yield found
    if not any(place.iterdir()):
        durable.remove(place)
