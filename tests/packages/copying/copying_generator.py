"""Goes on as the prompt went on where it read like its end: a generator without weights."""

from tunewright.errors import BadRequest, NotFound
from tunewright.generation.generator import ModelSpec, Piece, Request

LONGEST = 16  # tokens that are compared


class CopyingGenerator:
    def __init__(self) -> None:
        self._rows: dict[int, tuple[Request, list[int]]] = {}  # what was asked, all tokens so far
        self._gone: list[Piece] = []

    @property
    def busy(self) -> bool:
        return bool(self._rows or self._gone)

    def load(self, model: ModelSpec) -> None: ...

    def unload(self, key: str) -> None:
        for id in [id for id, (asked, _) in self._rows.items() if asked.model.key == key]:
            self._gone.append(Piece(id, [], error=NotFound(f"The model {key} was removed.")))
            del self._rows[id]

    def submit(self, request: Request) -> None:
        self._rows[request.id] = request, [*request.prompt]

    def cancel(self, id: int) -> None:
        self._rows.pop(id, None)

    def step(self) -> list[Piece]:
        pieces = [*self._gone, *(_advance(*row) for row in self._rows.values())]
        self._gone = []
        self._rows = {piece.id: self._rows[piece.id] for piece in pieces if not piece.last}
        return pieces


def _advance(asked: Request, ids: list[int]) -> Piece:
    if asked.forced is not None or asked.logprobs is not None or not asked.prompt:
        error = BadRequest("A copy has no probabilities, and copies nothing of an empty prompt.")
        return Piece(asked.id, [], error=error)
    if (token := _next(ids)) in asked.stop_ids:
        return Piece(asked.id, [], finished="stop")
    ids.append(token)
    done = len(ids) - len(asked.prompt) >= asked.max_tokens
    return Piece(asked.id, [token], finished="length" if done else None)


def _next(ids: list[int]) -> int:
    for n in range(min(LONGEST, len(ids) - 1), 0, -1):
        for at in range(len(ids) - n - 1, -1, -1):
            if ids[at : at + n] == ids[-n:]:
                return ids[at + n]
    return ids[-1]
