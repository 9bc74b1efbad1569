"""What answers where no generator can be imported: every request gets the reason."""

from tunewright.errors import TunewrightError
from tunewright.generation.generator import ModelSpec, Piece, Request


class AbsentGenerator:
    """Lets the engine run without torch, so that callers are told what to install."""

    def __init__(self, reason: TunewrightError) -> None:
        self._reason = reason
        self._rows: list[int] = []

    @property
    def busy(self) -> bool:
        return bool(self._rows)

    def load(self, model: ModelSpec) -> None:
        raise self._reason

    def unload(self, key: str) -> None:
        return

    def submit(self, request: Request) -> None:
        self._rows.append(request.id)

    def cancel(self, id: int) -> None:
        self._rows = [row for row in self._rows if row != id]

    def step(self) -> list[Piece]:
        rows, self._rows = self._rows, []
        return [Piece(row, [], error=self._reason) for row in rows]
