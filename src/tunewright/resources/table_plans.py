"""What makes two runs over a table the same, and the folder beside the output that keeps what is
done of one.

    OUT.partial/
      plan.json        what is to be done: no run with another plan goes on here
      progress.json    how far it is: what lies behind the lengths that it gives counts for nothing
      vectors          float32, one after the other
      left_out.jsonl   rows without a vector: line and reason
      ready/           the output and what belongs beside it, whole, until they are moved away
"""

import codecs
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tunewright import durable, suggestions
from tunewright.errors import BadRequest, Busy
from tunewright.records.tables import TableProgress

_PIECE = 2**20
_TEXT = (".csv", ".tsv", ".json", ".jsonl")
_SAID = {
    "sha256": "the table",
    "sheet": "the sheet",
    "columns": "the columns",
    "template": "the template",
    "model": "the model",
    "fingerprint": "the model's weights",
    "precision": "the precision",
    "dimensions": "the dimensions",
    "prompt": "what goes before each text",
    "unknown": "what becomes of texts without a known token (unknown_text)",
    "ending": "the kind of output",
    "batch": "the size of a batch",
    "version": "the version of Tunewright",
}


@dataclass(frozen=True)
class Plan:
    """`batch`: rows that are computed together, at most. `sha256`: of the table's file."""

    sha256: str
    sheet: str | None
    columns: tuple[str, ...]
    template: str | None
    model: str
    fingerprint: str
    prompt: str
    unknown: str
    dimensions: int
    ending: str
    batch: int
    precision: str = "exact"
    version: int = 1

    @property
    def digest(self) -> str:
        return hashlib.sha256(orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS)).hexdigest()

    def differs(self, other: dict[str, Any]) -> list[str]:
        """What is not as in `other`, in words."""
        own: dict[str, Any] = orjson.loads(orjson.dumps(asdict(self)))
        return [what for name, what in _SAID.items() if own[name] != other.get(name)]


def content(path: Path) -> str:
    """The sha256 of a table's file. Raises BadRequest for a text that is not UTF-8, with the line
    and the command that helps: found at the beginning, not after hours."""
    found = hashlib.sha256()
    decoder: Any = None
    if path.suffix.lower() in _TEXT:
        decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head[:2] in (b"\x1f\x8b", b"PK", b"BZ", b"\xff\xfe", b"\xfe\xff") or b"\0" in head:
            decoder = None  # packed, or another encoding that its first bytes tell
        while piece := file.read(_PIECE):
            found.update(piece)
            if decoder is not None:
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError:
                    raise _not_utf8(path) from None
    return found.hexdigest()


def _not_utf8(path: Path) -> BadRequest:
    bad: list[int] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                bad.append(number)
    rows = f"{len(bad):,} bad row{'s' if len(bad) != 1 else ''}"
    said = " ".join(f"line {line}: It is not UTF-8." for line in bad[:5])
    more = f" And {len(bad) - 5:,} more." if len(bad) > 5 else ""
    return BadRequest(f"{path.name} has {rows}; {said}{more} {suggestions.recoded(path)}")


class Partial:
    """What is done of one plan, and the files that hold it; made by `opened`."""

    def __init__(self, output: Path, plan: Plan) -> None:
        self.output = output
        self.plan = plan
        self.path = folder(output)
        self.left_out_path = self.path / "left_out.jsonl"
        self.ready = self.path / "ready"
        self.progress = TableProgress()
        lengths = {"vectors": 0, "left_out": 0}
        if (self.path / "progress.json").is_file():
            said = durable.read_json(self.path / "progress.json")
            self.progress = TableProgress.model_validate(said["progress"])
            lengths = said["bytes"]
        self._vectors = durable.Growing(self.path / "vectors", lengths["vectors"])
        self._left_out = durable.Growing(self.left_out_path, lengths["left_out"])

    def close(self) -> None:
        self._vectors.close()
        self._left_out.close()

    def vector(self, at: int) -> NDArray[np.float32]:
        """The vector of the text that was kept as the `at`-th, from 0: [d]."""
        size = 4 * self.plan.dimensions
        return np.frombuffer(self._vectors.read(at * size, size), "<f4")

    def some(self, at: int, count: int) -> NDArray[np.float32]:
        """The vectors of `count` texts, from the `at`-th on: [count, d]."""
        size = 4 * self.plan.dimensions
        found = np.frombuffer(self._vectors.read(at * size, count * size), "<f4")
        return found.reshape(count, self.plan.dimensions)

    def add(
        self, vectors: NDArray[np.float32], left_out: dict[int, str], progress: TableProgress
    ) -> None:
        """A batch, whole or not at all: until `progress.json` says so it was never computed."""
        self._vectors.write(vectors.astype("<f4", copy=False).tobytes())
        lines = ({"line": line, "reason": why} for line, why in left_out.items())
        self._left_out.write(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        self._vectors.sync()
        self._left_out.sync()
        lengths = {"vectors": self._vectors.bytes, "left_out": self._left_out.bytes}
        said = {"progress": progress.wire(), "bytes": lengths}
        durable.write_json(self.path / "progress.json", said)
        self.progress = progress

    def publish(self, besides: list[Path]) -> None:
        """Move what is ready to its place, the output last."""
        for place in (*besides, self.output):
            if (self.ready / place.name).exists():
                durable.move(self.ready / place.name, place)

    def lines_left_out(self) -> Iterator[tuple[int, str]]:
        """Line and reason, in the order of the table."""
        with self.left_out_path.open("rb") as file:
            for line in file:
                said = orjson.loads(line)
                yield said["line"], said["reason"]


@contextmanager
def opened(output: Path, plan: Plan, *, overwrite: bool) -> Iterator[Partial]:
    """The folder of one output, for one process. Raises BadRequest where another plan was begun
    there, unless `overwrite`; Busy where another process works on it."""
    path = durable.make_directory(folder(output))
    with durable.only_one(path) as alone:
        if not alone:
            raise Busy(
                f"Another process is writing {output} at this moment. Wait for it, or name "
                "another output.",
                retry=False,
            )
        _begin(path, plan, overwrite=overwrite)
        partial = Partial(output, plan)
        try:
            yield partial
        finally:
            partial.close()


def _begin(path: Path, plan: Plan, *, overwrite: bool) -> None:
    written = path / "plan.json"
    begun = durable.read_json(written) if written.is_file() else None
    if begun is not None and (other := plan.differs(begun)):
        if not overwrite:
            raise BadRequest(
                f"{path.name} holds the unfinished work of another command: {' and '.join(other)} "
                f"differ{'s' if len(other) == 1 else ''}. Repeat that command as it was, and it "
                "goes on; or add --overwrite (overwrite=True) to begin anew.",
                param="output",
                code="other_plan",
            )
        begun = None
    if begun is None:
        for each in sorted(path.iterdir()):
            durable.remove(each)
        durable.write_json(written, asdict(plan))
    durable.sweep(path)


def folder(output: Path) -> Path:
    return output.with_name(f"{output.name}.partial")
