"""What was fetched from one source, on this disk: bytes as they were received, none overwritten."""

import hashlib
import shlex
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from tunewright import durable, names
from tunewright.errors import BadRequest, Corrupt
from tunewright.imports.fields import mapping

_LEDGER = "received.json"
_LONGEST_HOST = 100
_SAVE_EVERY = 5.0  # seconds


class Archive:
    """A folder of objects, and a ledger with the sha256 of each.

    An object that comes again with other bytes is kept beside the first, as ``NAME~2``. What is in
    the folder is whole: a process that is killed leaves the objects before, and the next one goes
    on from there.
    """

    def __init__(self, root: Path, options: str = "") -> None:
        """`options`: what a command needs besides to mean this archive."""
        self.root = root
        self.options = options
        self._saved = 0.0
        self._ledger: dict[str, dict[str, Any]] = {}
        if (root / _LEDGER).is_file():
            self._ledger = durable.read_json(root / _LEDGER)["objects"]

    @classmethod
    def of(cls, imports: Path, base_url: str, options: str = "") -> "Archive":
        """The archive of a source below `imports`: a source has one, whatever is fetched."""
        host = urlsplit(base_url).netloc.rpartition("@")[2].replace(":", "-").strip(".")
        mark = hashlib.sha256(base_url.rstrip("/").encode()).hexdigest()[:8]
        return cls(imports / names.foreign(f"{host[:_LONGEST_HOST] or 'source'}-{mark}"), options)

    def command(self, *words: str) -> str:
        """A command to go on with, as it can be pasted into a shell."""
        return f"tunewright import openai {shlex.join(words)}{self.options}"

    def has(self, name: str) -> bool:
        return self._place(name).is_file()

    def read(self, name: str) -> bytes:
        """The newest bytes of an object. Raises Corrupt where they are not those received."""
        path = self._place(self._newest(name))
        data = path.read_bytes()
        known = self._ledger.get(path.relative_to(self.root).as_posix())
        if known and known["sha256"] != hashlib.sha256(data).hexdigest():
            raise _changed(path)
        return data

    def path(self, name: str) -> Path:
        """Where the newest bytes of an object lie. Raises Corrupt as `read` does."""
        path = self._place(self._newest(name))
        known = self._ledger.get(path.relative_to(self.root).as_posix())
        if known and known["sha256"] != durable.sha256(path):
            raise _changed(path)
        return path

    def names(self, pattern: str) -> list[str]:
        """The objects whose names fit a pattern such as ``jobs/*/job.json``."""
        return [path.relative_to(self.root).as_posix() for path in self.root.glob(pattern)]

    def json(self, name: str) -> Any:
        return orjson.loads(self.read(name))

    def record(self, name: str) -> dict[str, Any]:
        """An object as its source gave it, which may be anything: without fields where it is no
        JSON object. Raises Corrupt as `read` does."""
        try:
            return mapping(orjson.loads(self.read(name)))
        except orjson.JSONDecodeError:
            return {}

    def put(self, name: str, data: bytes) -> bool:
        """Keep an object; whether it was new or has changed."""
        if self.has(name) and self.read(name) == data:
            return False
        self.put_pieces(name, [data])
        return True

    def put_pieces(self, name: str, pieces: Iterable[bytes]) -> int:
        """Keep an object that comes in pieces, whole or not at all; its bytes."""
        target = self._free(name)
        with durable.Upload(self._place(target)) as upload:
            for piece in pieces:
                upload.write(piece)
            upload.commit()
        self._ledger[target] = {
            "sha256": upload.sha256,
            "bytes": upload.bytes,
            "received_at": int(time.time()),
        }
        if time.monotonic() - self._saved > _SAVE_EVERY:
            self.save()
        return upload.bytes

    def save(self) -> None:
        """Bring the ledger up to the folder: also to what a killed process left out of it."""
        for path in self._objects():
            name = path.relative_to(self.root).as_posix()
            if name not in self._ledger:
                self._ledger[name] = {
                    "sha256": durable.sha256(path),
                    "bytes": path.stat().st_size,
                    "received_at": int(path.stat().st_mtime),
                }
        durable.write_json(self.root / _LEDGER, {"objects": self._ledger})
        self._saved = time.monotonic()

    def changed(self) -> list[str]:
        """The objects whose bytes on this disk are not those received, or are gone."""
        return [
            name
            for name, known in self._ledger.items()
            if not self.has(name) or durable.sha256(self._place(name)) != known["sha256"]
        ]

    def _objects(self) -> Iterator[Path]:
        for path in sorted(self.root.rglob("*")):
            if path.is_file() and path != self.root / _LEDGER and not durable.is_temporary(path):
                yield path

    def _place(self, name: str) -> Path:
        """Raises BadRequest for a name that leads out of the folder: of its parts none does where
        each came through `names.foreign`."""
        if name.startswith("/") or ".." in name.split("/"):
            raise BadRequest(f"{name[:80]!r} is not a valid name of an object.", param="id")
        return self.root / name

    def _versions(self, name: str) -> Iterator[str]:
        yield name
        number = 2
        while True:
            yield f"{name}~{number}"
            number += 1

    def _free(self, name: str) -> str:
        return next(each for each in self._versions(name) if not self.has(each))

    def _newest(self, name: str) -> str:
        newest = name
        for each in self._versions(name):
            if not self.has(each):
                return newest
            newest = each
        raise AssertionError("unreachable")


def _changed(path: Path) -> Corrupt:
    return Corrupt(f"{path} has changed since it was received. Move it away, and fetch it again.")
