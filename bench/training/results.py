"""What was measured, one JSON object a line, so that a bench that breaks off loses nothing."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Result:
    """One run of one contender. round: its seed. cpu, wall: seconds. peak: MiB. loss: nats a
    supervised token of the held-out rows at the end; null where it was not computed.

    tokens, supervised: of the rows, once. computed: tokens that went through the model, padding
    included, in all epochs. operations, forecast: see `Meter`. matmul: operations a CPU second of
    matrix products in the same process, in the dtype that the contender computes in.
    """

    date: str
    base: str
    task: str
    contender: str
    round: int
    rows: int
    epochs: int
    threads: int
    cpu: float
    wall: float
    peak: float
    loss: float | None
    tokens: int
    supervised: int
    computed: int
    operations: float
    matmul: float
    forecast: float | None
    versions: dict[str, str]

    @property
    def passes(self) -> int:
        """Rows that were learnt, each as often as it was."""
        return self.rows * self.epochs

    @property
    def share_of_peak(self) -> float:
        return self.operations / self.cpu / self.matmul


def read(file: Path) -> list[Result]:
    lines = file.read_text().splitlines() if file.exists() else []
    return [Result(**json.loads(line)) for line in lines]


def append(file: Path, result: Result) -> None:
    with file.open("a") as lines:
        lines.write(json.dumps(asdict(result)) + "\n")


def grouped(results: list[Result]) -> Iterator[tuple[tuple[str, str], dict[str, list[Result]]]]:
    """By base and task, then by contender, each in the order in which they first appear."""
    found: dict[tuple[str, str], dict[str, list[Result]]] = {}
    for result in results:
        of = found.setdefault((result.base, result.task), {})
        of.setdefault(result.contender, []).append(result)
    yield from found.items()
