"""What an export says while it goes on, as JSON lines."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import BinaryIO, ClassVar, TypeAlias, get_args

import orjson


@dataclass(frozen=True)
class Step:
    """What begins now, for whoever follows."""

    kind: ClassVar[str] = "step"
    name: str
    message: str


@dataclass(frozen=True)
class Compared:
    """The fields of `records.exports.Parity`. failure: why the files are not the model, or None."""

    kind: ClassVar[str] = "compared"
    rows: int
    tolerance: float
    difference: float
    spread: float
    noise: float
    effect: float
    kept: float | None
    failure: str | None


@dataclass(frozen=True)
class Failed:
    kind: ClassVar[str] = "failed"
    code: str
    message: str


Said: TypeAlias = Step | Compared | Failed

_SAID: dict[str, type[Said]] = {said.kind: said for said in get_args(Said)}


class JsonLines:
    """One JSON object a line, flushed at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __call__(self, said: Said) -> None:
        line = orjson.dumps({"kind": said.kind, **asdict(said)}, option=orjson.OPT_APPEND_NEWLINE)
        self._stream.write(line)
        self._stream.flush()


def parsed(lines: Iterable[bytes]) -> Iterator[Said]:
    """What `JsonLines` wrote, as it was said."""
    for line in lines:
        found = orjson.loads(line)
        yield _SAID[found.pop("kind")](**found)
