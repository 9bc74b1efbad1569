"""What an export says while it goes on, as JSON lines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeAlias, get_args

from tunewright import children


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


def parsed(lines: Iterable[bytes]) -> Iterator[Said]:
    """What an export has said."""
    return children.parsed(lines, _SAID)
