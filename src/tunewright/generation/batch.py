"""The rows of one base: prompts are read in chunks, then every row advances a token a step."""

import math
import random
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from tunewright.errors import BadRequest, Corrupt, TunewrightError
from tunewright.generation import sampling
from tunewright.generation.cache import Caches, OwnCaches, SlotCache
from tunewright.generation.generator import Logprob, Piece, Request, Scores
from tunewright.generation.logprobs import logprobs
from tunewright.generation.probe import rows_may_share
from tunewright.generation.resident import Resident
from tunewright.generation.shaping import Shape, check_bias

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
    shape: Shape | None = None
    prompt: list[Logprob] = field(default_factory=list)
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
        shape = _shape(request, self.resident)
        in_use = [row.slot for row in self.rows]
        self._waiting.append(Row(request, self.resident.slot(request.model, in_use), shape=shape))

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
            logits, row.cache = self.resident.prefill(
                part, row.slot, row.cache, row.read, every=row.request.prompt_logprobs
            )
            _note_prompt(row, logits, end)
            row.read = end
            if end == len(row.request.prompt):
                pieces += self._begin(self._waiting.popleft(), logits[-1:])
        return pieces

    def _begin(self, row: Row, logits: Tensor) -> list[Piece]:
        if row.request.max_tokens or row.request.forced:
            pieces = self._pieces([row], logits)
        else:
            pieces = [Piece(row.request.id, [], "length")]
        if row.request.prompt_logprobs:
            pieces = [replace(pieces[0], prompt=row.prompt)]
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
        peaks: list[float] = logits.amax(-1).tolist()
        chosen = _choose(rows, _shaped(rows, logits))
        for at, row in enumerate(rows):
            if row.request.forced is not None:
                chosen[at] = _score(row, logits[at])
        told = _told(rows, logits, chosen)
        return [
            _settle(row, token, self.resident.context, told.get(at))
            if math.isfinite(peaks[at])
            else _not_finite(row)
            for at, (row, token) in enumerate(zip(rows, chosen, strict=True))
        ]


def _shape(request: Request, resident: Resident) -> Shape | None:
    """None where the model's logits are taken as they are, as with most requests."""
    check_bias(request, resident.vocabulary)
    penalties = request.presence_penalty or request.frequency_penalty
    if request.forced is not None or not (penalties or request.logit_bias or request.grammar):
        return None
    return Shape(request, resident.grammars.compile(request))


def _shaped(rows: list[Row], logits: Tensor) -> Tensor:
    shapes = [(at, row.shape) for at, row in enumerate(rows) if row.shape is not None]
    if shapes:
        logits = logits.clone()  # the model's own are still reported and scored
    for at, shape in shapes:
        shape.apply(logits[at])
    return logits


def _choose(rows: list[Row], logits: Tensor) -> list[int]:
    chosen: list[int] = logits.argmax(-1).tolist()
    sampled = [at for at, row in enumerate(rows) if row.samples]
    if sampled:
        some = logits if len(sampled) == len(rows) else logits[sampled]
        drawn = sampling.draw(some, [rows[at].choice() for at in sampled])
        for at, token in zip(sampled, drawn, strict=True):
            chosen[at] = token
    return chosen


def _told(rows: list[Row], logits: Tensor, chosen: list[int]) -> dict[int, Logprob]:
    """By the number of the row, for those that ask for it."""
    tops = {
        at: row.request.logprobs
        for at, row in enumerate(rows)
        if row.request.logprobs is not None and row.request.forced is None
    }
    if not tops:
        return {}
    some = [chosen[at] for at in tops]
    return dict(zip(tops, logprobs(logits[list(tops)], some, list(tops.values())), strict=True))


def _note_prompt(row: Row, logits: Tensor, end: int) -> None:
    """`logits` [prompt tokens read now, vocabulary]: each foretells the token after its own."""
    if row.request.prompt_logprobs:
        following = row.request.prompt[row.read + 1 : end + 1]
        tops = [row.request.logprobs or 0] * len(following)
        row.prompt += logprobs(logits[: len(following)], following, tops)


def _score(row: Row, logits: Tensor) -> int:
    """Note what the model thinks of the row's next forced token, and return that token."""
    logprobs = logits.log_softmax(-1)
    values, tokens = logprobs.topk(2)
    (first, second), (greedy, _) = values.tolist(), tokens.tolist()
    row.score(logprobs, (greedy, first, second))
    assert row.request.forced is not None
    return row.request.forced[row.made]


def _settle(row: Row, token: int, context: int, told: Logprob | None) -> Piece:
    request = row.request
    if request.forced is not None:
        return _settle_forced(row, token, request.forced)
    if token in request.stop_ids:
        return Piece(request.id, [], "stop")
    row.next = token
    row.made += 1
    full = row.made >= request.max_tokens or len(request.prompt) + row.made >= context
    try:
        if row.shape is not None:
            row.shape.take(token)
    except BadRequest as error:
        return failed(request, error)
    return Piece(request.id, [token], "length" if full else None, logprobs=told and [told])


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
    # A row that samples must be able to make one token.
    room = 0 if request.forced or request.max_tokens == 0 else 1
    if not request.prompt or request.forced == [] or request.max_tokens < 0:
        raise BadRequest("The engine needs at least one prompt token, and one to score.")
    if len(tokens) + room > resident.context:
        raise BadRequest(
            f"This model's maximum context length is {resident.context} tokens. However, your "
            f"prompt has {len(tokens)} tokens. Please reduce its length.",
            code="context_length_exceeded",
        )
    if min(tokens) < 0 or max(tokens) >= resident.vocabulary:
        raise BadRequest(
            f"Token ids must lie between 0 and {resident.vocabulary - 1}.", param="prompt"
        )
