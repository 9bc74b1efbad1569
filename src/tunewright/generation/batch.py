"""The rows of one base: prompts are read in chunks, then every row advances a token a step."""

import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tunewright.errors import BadRequest, Corrupt, TunewrightError
from tunewright.generation import sampling
from tunewright.generation.cache import Caches, OwnCaches, SlotCache
from tunewright.generation.generator import Piece, Request, Scores
from tunewright.generation.probe import rows_may_share
from tunewright.generation.resident import Resident

# Prompt tokens read in one step: bounds how long a newcomer delays the streams that run. Fixed, so
# that a prompt is always cut at the same places and its rounding is its own.
CHUNK = 256
ROWS = 16
# Rows times columns of the store: bounds its memory where prompts are long.
CELLS = 1 << 17


@dataclass(eq=False)
class Row:
    """A request on its way. `read`: prompt tokens in `cache`; `next`: the token to feed."""

    request: Request
    slot: int
    cache: Any = None
    read: int = 0
    next: int = 0
    made: int = 0
    logprobs: list[float] = field(default_factory=list)
    top: list[tuple[int, float, float]] = field(default_factory=list)
    numbers: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.numbers = sampling.source(self.request.seed)

    @property
    def samples(self) -> bool:
        return self.request.forced is None and self.request.temperature > 0

    def choice(self) -> sampling.Choice:
        request = self.request
        return sampling.Choice(request.temperature, request.top_p, self.numbers.random())

    def score(self, logprobs: Tensor, greedy: tuple[int, float, float]) -> None:
        assert self.request.forced is not None
        self.logprobs.append(float(logprobs[self.request.forced[self.made]]))
        self.top.append(greedy)


class Batch:
    """The rows of one resident base, in the order of their arrival until they run."""

    def __init__(self, resident: Resident) -> None:
        self.resident = resident
        self._waiting: deque[Row] = deque()  # its head may be half read
        self._running: list[Row] = []
        resident.merges = resident.merges and rows_may_share(resident)
        self._caches: Caches = SlotCache() if resident.merges else OwnCaches()

    @property
    def rows(self) -> list[Row]:
        return [*self._running, *self._waiting]

    def add(self, request: Request) -> None:
        """Raises BadRequest for what this model cannot run, and what loading an adapter raises."""
        _check(request, self.resident)
        in_use = [row.slot for row in self.rows]
        self._waiting.append(Row(request, self.resident.slot(request.model, in_use)))

    @torch.inference_mode()
    def drop(self, row: Row) -> None:
        if row in self._running:
            self._leave(self._running.index(row))
        else:
            self._waiting.remove(row)

    @torch.inference_mode()
    def step(self) -> list[Piece]:
        return [*self._advance(), *self._read()]

    def _advance(self) -> list[Piece]:
        if not self._running:
            return []
        rows = list(self._running)
        logits = self._caches.forward(
            self.resident, [row.next for row in rows], [row.slot for row in rows]
        )
        pieces = self._pieces(rows, logits)
        # From the end: the last row takes the place of one that leaves.
        for at in reversed([at for at, piece in enumerate(pieces) if piece.last]):
            self._leave(at)
        return pieces

    def _leave(self, at: int) -> None:
        self._caches.leave(at)
        last = self._running.pop()
        if at < len(self._running):
            self._running[at] = last

    def _read(self) -> list[Piece]:
        """Read prompts, at most CHUNK tokens; those that are read whole begin to run."""
        pieces: list[Piece] = []
        budget = CHUNK
        while self._waiting and budget > 0 and self._has_room(self._waiting[0]):
            row = self._waiting[0]
            end = min(row.read + CHUNK, len(row.request.prompt))
            if not self.resident.merges:
                end = len(row.request.prompt)  # such a cache may not take a prompt in parts
            budget -= end - row.read
            part = row.request.prompt[row.read : end]
            logits, row.cache = self.resident.prefill(part, row.slot, row.cache, row.read)
            row.read = end
            if end == len(row.request.prompt):
                pieces += self._begin(self._waiting.popleft(), logits)
        return pieces

    def _begin(self, row: Row, logits: Tensor) -> list[Piece]:
        pieces = self._pieces([row], logits)
        if not pieces[0].last:
            self._caches.join(row.cache, row.read)
            self._running.append(row)
        row.cache = None
        return pieces

    def _has_room(self, row: Row) -> bool:
        if not self._running:
            return True
        rows = len(self._running) + 1
        longest = max(len(r.request.prompt) + r.made for r in [row, *self._running])
        return rows <= ROWS and rows * longest <= CELLS

    def _pieces(self, rows: list[Row], logits: Tensor) -> list[Piece]:
        """Choose each row's next token from its logits [rows, vocabulary]."""
        logits = logits.float()
        best, tokens = logits.max(-1)
        chosen: list[int] = tokens.tolist()
        sampled = [at for at, row in enumerate(rows) if row.samples]
        if sampled:
            some = logits if len(sampled) == len(rows) else logits[sampled]
            drawn = sampling.draw(some, [rows[at].choice() for at in sampled])
            for at, token in zip(sampled, drawn, strict=True):
                chosen[at] = token
        for at, row in enumerate(rows):
            if row.request.forced is not None:
                chosen[at] = _score(row, logits[at])
        return [
            _settle(row, token, self.resident.context) if math.isfinite(peak) else _not_finite(row)
            for row, token, peak in zip(rows, chosen, best.tolist(), strict=True)
        ]


def _score(row: Row, logits: Tensor) -> int:
    """Note what the model thinks of the row's next forced token, and return that token."""
    logprobs = logits.log_softmax(-1)
    values, tokens = logprobs.topk(2)
    (first, second), (greedy, _) = values.tolist(), tokens.tolist()
    row.score(logprobs, (greedy, first, second))
    assert row.request.forced is not None
    return row.request.forced[row.made]


def _settle(row: Row, token: int, context: int) -> Piece:
    request = row.request
    if request.forced is not None:
        return _settle_forced(row, token, request.forced)
    if token in request.stop_ids:
        return Piece(request.id, [], "stop")
    row.next = token
    row.made += 1
    full = row.made >= request.max_tokens or len(request.prompt) + row.made >= context
    return Piece(request.id, [token], "length" if full else None)


def _settle_forced(row: Row, token: int, forced: list[int]) -> Piece:
    row.next = token
    row.made += 1
    if row.made < len(forced):
        return Piece(row.request.id, [])
    return Piece(row.request.id, [], "length", Scores(row.logprobs, row.top))


def _not_finite(row: Row) -> Piece:
    error = Corrupt(f"The model {row.request.model.key} gave numbers that are not finite.")
    return failed(row.request, error)


def failed(request: Request, error: TunewrightError) -> Piece:
    return Piece(request.id, [], error=error)


def _check(request: Request, resident: Resident) -> None:
    forced = request.forced or []
    tokens = [*request.prompt, *forced]
    room = 0 if request.forced else 1  # a row that samples must be able to make one token
    if not request.prompt or request.forced == [] or request.max_tokens < 1:
        raise BadRequest("The engine needs at least one prompt token and one token to make.")
    if len(tokens) + room > resident.context:
        raise BadRequest(
            f"This model's maximum context length is {resident.context} tokens. However, your "
            f"prompt has {len(tokens)} tokens. Please reduce its length.",
            code="context_length_exceeded",
        )
    if min(tokens) < 0 or max(tokens) >= resident.vocabulary:
        raise BadRequest(f"Token ids must lie between 0 and {resident.vocabulary - 1}.")
