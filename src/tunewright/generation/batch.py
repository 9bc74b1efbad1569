"""Continuous batching of one base's rows: prompts are read in chunks (prefill), then every row
advances by a token in each step (decode)."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from tunewright.errors import BadRequest, Corrupt
from tunewright.generation import sampling
from tunewright.generation.beginnings import Known
from tunewright.generation.cache import Caches, OwnCaches, SlotCache
from tunewright.generation.compiling import Compiling
from tunewright.generation.generator import Logprob, Piece, Request, Scores
from tunewright.generation.probe import rows_may_share
from tunewright.generation.reading import Reading, note
from tunewright.generation.resident import Resident
from tunewright.generation.row import Row, failed
from tunewright.generation.shaping import check_bias
from tunewright.generation.turns import Turns
from tunewright.weights.packing import pack

# Prompt tokens read in one step: bounds how long a newcomer delays the streams that run. Fixed, so
# that a prompt is always cut at the same places and its rounding is its own.
CHUNK = 256
ROWS = 16
# Rows times columns of the cache: bounds its memory where prompts are long.
CELLS = 1 << 17
# Numbers in the logits of a prompt that is read in one piece, where its log-probabilities are
# reported: 1 GiB of float32, and they are copied twice.
PROMPT_LOGITS = 1 << 28
# Rows of organisations that have none running, while others fill the cache; as many CELLS again.
APART = 8


class _Running:
    """Rows that generate a token in each step, and their caches."""

    def __init__(self, caches: Caches) -> None:
        self.rows: list[Row] = []
        self._caches = caches

    def join(self, row: Row) -> None:
        self._caches.join(row.cache, row.read)
        self.rows.append(row)
        row.cache = None

    def leave(self, at: int) -> None:
        self._caches.leave(at)
        last = self.rows.pop()
        if at < len(self.rows):
            self.rows[at] = last

    def forward(self, resident: Resident) -> Tensor:
        """Feed every row its newest token; logits [rows, vocabulary]."""
        tokens = [row.ids[-1] for row in self.rows]
        return self._caches.forward(resident, tokens, [row.slot for row in self.rows])


class Batch:
    """The rows of one resident base; those that wait go by turns of their organisations."""

    def __init__(self, resident: Resident) -> None:
        self.resident = resident
        self._compiling = Compiling(resident.grammars)
        self._waiting: Turns[Row] = Turns()  # the first of an organisation may be half read
        resident.merges = resident.merges and rows_may_share(resident)
        pack(resident.model)
        self._together = _Running(SlotCache() if resident.merges else OwnCaches())
        self._apart = _Running(OwnCaches())
        self._reading: Reading | None = None

    @property
    def rows(self) -> list[Row]:
        reading = self._reading.rows if self._reading else []
        return [*self.running, *reading, *self._waiting, *self._compiling.rows]

    @property
    def running(self) -> list[Row]:
        return [*self._together.rows, *self._apart.rows]

    def add(self, request: Request) -> None:
        """Raises BadRequest for what this model cannot run, and what loading an adapter raises."""
        _check(request, self.resident)
        self._queue(Row(request, self._slot(request)))

    def take_back(self, row: Row) -> None:
        """A row that was suspended when this base had to make room. Raises as `add` does."""
        row.slot = self._slot(row.request)
        self._queue(row)

    def _queue(self, row: Row) -> None:
        if self._compiling.add(row):
            self._waiting.add(row.organisation, row)

    def _slot(self, request: Request) -> int:
        return self.resident.slot(request.model, [row.slot for row in self.rows])

    @torch.inference_mode()
    def drop(self, row: Row) -> None:
        """Forget a row, wherever it is; it gets no further piece."""
        for group in (self._together, self._apart):
            if row in group.rows:
                group.leave(group.rows.index(row))
        self._waiting.remove(row.organisation, row)
        self._compiling.drop(row)

    @torch.inference_mode()
    def step(self, alone: bool = True) -> list[Piece]:
        """Decode: a token for every running row. Then prefill: a chunk of the waiting prompts.

        alone: whether no other base has anything to do, so that this one may wait for a grammar.
        """
        idle = alone and not self.running and not self._waiting
        ready, pieces = self._compiling.step(idle)
        for row in ready:
            self._waiting.add(row.organisation, row)
        advanced = [*self._advance(self._together), *self._advance(self._apart)]
        return [*pieces, *advanced, *self._read()]

    def _advance(self, group: _Running) -> list[Piece]:
        if not group.rows:
            return []
        pieces = self._pieces(list(group.rows), group.forward(self.resident))
        # From the end: the last row takes the place of one that leaves.
        for at in reversed([at for at, piece in enumerate(pieces) if piece.last]):
            group.leave(at)
        return pieces

    def _read(self) -> list[Piece]:
        """Prefill some CHUNK tokens of the waiting prompts; rows whose prompt is read whole run."""
        pieces: list[Piece] = []
        budget = CHUNK
        while budget > 0 and (row := self._waiting.next(self._may_read)) is not None:
            known = self._known(row)
            if self._short(row, known):
                self._waiting.remove(row.organisation, row)
                budget -= self._read_together(row, known, pieces)
            else:
                budget -= self._read_on(row, known, pieces)
        return pieces

    def _known(self, row: Row) -> Known | None:
        """The beginning of a prompt of which nothing has been read yet."""
        new = self.resident.merges and row.read == 0
        return self.resident.beginnings.find(row) if new else None

    def _short(self, row: Row, known: Known | None) -> bool:
        left = row.due - (known.length if known else 0)
        return self.resident.merges and row.read == 0 and left <= CHUNK

    def _read_together(self, row: Row, known: Known | None, pieces: list[Piece]) -> int:
        """Prefill a short prompt and others that wait, by turns; how many tokens that were."""
        self._reading = reading = Reading(row, known)

        def joins(row: Row) -> bool:
            same = self._short(row, known) and self._known(row) == known
            return same and reading.takes(row, CHUNK) and self._may_read(row)

        while (other := self._waiting.next(joins)) is not None:
            self._waiting.remove(other.organisation, other)
            reading.add(other)
        if known:
            self.resident.beginnings.used(row, known)
        logits = reading.read(self.resident)
        self._reading = None
        pieces += self._begin(reading.rows, logits)
        return reading.tokens

    def _read_on(self, row: Row, known: Known | None, pieces: list[Piece]) -> int:
        """Prefill the next part of a prompt; how many tokens that were."""
        if known:
            self.resident.beginnings.used(row, known)
            row.cache, row.read = known.cache(), known.length
        before, end = row.read, min(row.read + CHUNK, row.due)
        if not self.resident.merges:
            end = row.due  # such a cache may not take a prompt in parts
        logits, row.cache = self.resident.prefill(
            row.ids[row.read : end], row.slot, row.cache, row.read, every=row.reports_prompt
        )
        if row.reports_prompt:
            note(row, logits, end)
        row.read = end
        if row.read == row.due:
            self._waiting.remove(row.organisation, row)
            if self.resident.merges:
                self.resident.beginnings.keep(row, row.cache, known, own=True)
            pieces += self._begin([row], logits[-1:])  # [1, vocabulary]
        return row.read - before

    def _begin(self, rows: list[Row], logits: Tensor) -> list[Piece]:
        """The first tokens of rows from `logits` [rows, vocabulary]; those that have not ended
        join a batch."""
        new = [at for at, row in enumerate(rows) if not row.made]
        pieces = self._first([rows[at] for at in new], logits[new])
        ended = {piece.id for piece in pieces if piece.last}
        for row in rows:
            if row.request.id not in ended:
                group = self._together if self._fits(row) else self._apart
                group.join(row)
        return pieces

    def _first(self, rows: list[Row], logits: Tensor) -> list[Piece]:
        asked = [at for at, row in enumerate(rows) if row.request.max_tokens or row.request.forced]
        pieces = [Piece(row.request.id, [], "length") for row in rows]
        if asked:
            found = self._pieces([rows[at] for at in asked], logits[asked])
            for at, piece in zip(asked, found, strict=True):
                pieces[at] = piece
        return [
            replace(piece, prompt=row.prompt) if row.request.prompt_logprobs else piece
            for row, piece in zip(rows, pieces, strict=True)
        ]

    def _may_read(self, row: Row) -> bool:
        return row.brief or row.cache is not None or self._fits(row) or self._deserves(row)

    def _fits(self, row: Row) -> bool:
        running = [*self._together.rows, *self._soon()]
        longest = max(len(r.ids) for r in [row, *running])
        return not running or (len(running) < ROWS and (len(running) + 1) * longest <= CELLS)

    def _deserves(self, row: Row) -> bool:
        """Whether nothing of its organisation runs, so that it need not wait for others to end."""
        apart = self._apart.rows
        tokens = sum(len(r.ids) for r in [row, *apart])
        mine = any(r.organisation == row.organisation for r in [*self.running, *self._soon()])
        return not mine and not self._soon() and len(apart) < APART and tokens <= CELLS

    def _soon(self) -> list[Row]:
        """Rows that run as soon as their prompts, which are read now, have been read."""
        return [row for row in self._reading.rows if not row.brief] if self._reading else []

    def _pieces(self, rows: list[Row], logits: Tensor) -> list[Piece]:
        """Choose each row's next token from its logits [rows, vocabulary]."""
        logits = logits.float()  # [rows, vocabulary]
        peaks: list[float] = logits.amax(-1).tolist()  # [rows]
        chosen = _choose(rows, _shaped(rows, logits))
        for at, row in enumerate(rows):
            if row.request.forced is not None:
                chosen[at] = _score(row, logits[at])
        reported = _reported(rows, logits, chosen)
        return [
            _settle(row, token, self.resident.context, reported.get(at))
            if math.isfinite(peaks[at])
            else _not_finite(row)
            for at, (row, token) in enumerate(zip(rows, chosen, strict=True))
        ]


def _shaped(rows: list[Row], logits: Tensor) -> Tensor:
    shapes = [(at, row.shape) for at, row in enumerate(rows) if row.shape is not None]
    if shapes:
        logits = logits.clone()  # the model's own are still reported and scored
    for at, shape in shapes:
        shape.apply(logits[at])  # [vocabulary], in place
    return logits


def _choose(rows: list[Row], logits: Tensor) -> list[int]:
    chosen: list[int] = logits.argmax(-1).tolist()  # [rows, vocabulary] -> [rows]
    sampled = [at for at, row in enumerate(rows) if row.samples]
    if sampled:
        some = logits if len(sampled) == len(rows) else logits[sampled]
        asked = [rows[at].request for at in sampled]
        drawn = sampling.draw(some, asked, [rows[at].numbers.random() for at in sampled])
        for at, token in zip(sampled, drawn, strict=True):
            chosen[at] = token
    return chosen


def _reported(rows: list[Row], logits: Tensor, chosen: list[int]) -> dict[int, Logprob]:
    """Log-probabilities by the index of the row, for those that ask for them."""
    tops = {
        at: row.request.logprobs
        for at, row in enumerate(rows)
        if row.request.logprobs is not None and row.request.forced is None
    }
    if not tops:
        return {}
    some = [chosen[at] for at in tops]
    return dict(
        zip(tops, sampling.logprobs(logits[list(tops)], some, list(tops.values())), strict=True)
    )


def _score(row: Row, logits: Tensor) -> int:
    """Note what the model thinks of the row's next forced token, and return that token."""
    logprobs = logits.log_softmax(-1)  # [vocabulary]
    values, tokens = logprobs.topk(2)  # [2]
    (first, second), (greedy, _) = values.tolist(), tokens.tolist()
    row.score(logprobs, (greedy, first, second))
    assert row.request.forced is not None
    return row.request.forced[row.made]


def _settle(row: Row, token: int, context: int, reported: Logprob | None) -> Piece:
    request = row.request
    if request.forced is not None:
        return _settle_forced(row, token, request.forced)
    if token in request.stop_ids:
        return Piece(request.id, [], "stop")
    row.ids.append(token)
    row.made += 1
    full = row.made >= request.max_tokens or len(request.prompt) + row.made >= context
    try:
        if row.shape is not None:
            row.shape.take(token)
    except BadRequest as error:
        return failed(request, error)
    return Piece(request.id, [token], "length" if full else None, logprobs=reported and [reported])


def _settle_forced(row: Row, token: int, forced: list[int]) -> Piece:
    row.ids.append(token)
    row.made += 1
    if row.made < len(forced):
        return Piece(row.request.id, [])
    return Piece(row.request.id, [], "length", Scores(row.logprobs, row.top))


def _not_finite(row: Row) -> Piece:
    error = Corrupt(f"The model {row.request.model.key} gave numbers that are not finite.")
    return failed(row.request, error)


def _check(request: Request, resident: Resident) -> None:
    check_bias(request, resident.vocabulary)
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
    if request.prompt_logprobs and not resident.merges:
        _check_prompt_logits(len(request.prompt), resident.vocabulary)
    if min(tokens) < 0 or max(tokens) >= resident.vocabulary:
        raise BadRequest(
            f"Token ids must lie between 0 and {resident.vocabulary - 1}.", param="prompt"
        )


def _check_prompt_logits(tokens: int, vocabulary: int) -> None:
    if tokens * vocabulary > PROMPT_LOGITS:
        raise BadRequest(
            f"This model reads a prompt in one piece, so 'echo' with 'logprobs' takes at most "
            f"{PROMPT_LOGITS // vocabulary} tokens of it; yours has {tokens}.",
            param="echo",
        )
