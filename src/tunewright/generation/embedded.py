"""The embedded `Generator`: torch in this process, continuous batching, a few resident bases."""

import logging
from collections import deque
from pathlib import Path

from transformers.utils import logging as transformers_logging

from tunewright.errors import Busy, NotFound, TunewrightError, Unavailable
from tunewright.generation.batch import Batch, failed
from tunewright.generation.generator import ModelSpec, Piece, Request
from tunewright.generation.resident import Resident

RESIDENT_BASES = 2

log = logging.getLogger(__name__)
transformers_logging.disable_progress_bar()  # a server's log is no terminal

_Base = tuple[str, str]


class EmbeddedGenerator:
    """Rows of one base and any of its adapters share a batch; bases take turns, a step each.

    A request for a base that is not resident loads it, in place of the least recently used one
    that is idle. While none is, that request and all that came after it wait: so the bases in use
    run dry and nobody waits for ever.
    """

    def __init__(self, resident_bases: int = RESIDENT_BASES) -> None:
        self._limit = resident_bases
        self._arrivals: deque[Request] = deque()
        self._batches: dict[_Base, Batch] = {}  # the least recently used first
        self._ended: list[Piece] = []  # last pieces that the next step hands out

    @property
    def busy(self) -> bool:
        waiting = self._ended or self._arrivals
        return bool(waiting) or any(batch.rows for batch in self._batches.values())

    def load(self, model: ModelSpec) -> None:
        batch = self._batch(model)
        if batch is None:
            raise Busy("All places for base models are in use. Try again in a moment.")
        batch.resident.slot(model, [row.slot for row in batch.rows])

    def unload(self, key: str) -> None:
        for base, batch in list(self._batches.items()):
            for spec in [spec for spec in batch.resident.specs if spec.key == key]:
                self._end(batch, spec)
                batch.resident.forget(spec)
            if not batch.resident.specs:
                del self._batches[base]

    def submit(self, request: Request) -> None:
        self._arrivals.append(request)

    def cancel(self, id: int) -> None:
        self._arrivals = deque(request for request in self._arrivals if request.id != id)
        for batch in self._batches.values():
            for row in batch.rows:
                if row.request.id == id:
                    batch.drop(row)

    def step(self) -> list[Piece]:
        self._place_arrivals()
        pieces, self._ended = self._ended, []
        for base, batch in list(self._batches.items()):
            if batch.rows:
                pieces += self._stepped(base, batch)
        return pieces

    def _stepped(self, base: _Base, batch: Batch) -> list[Piece]:
        try:
            return batch.step()
        except Exception as error:  # out of memory, or a model that cannot be run
            log.exception("generating with %s failed", base[0])
            del self._batches[base]  # its caches may be half written
            return [failed(row.request, _as_ours(error)) for row in batch.rows]

    def _place_arrivals(self) -> None:
        while self._arrivals:
            request = self._arrivals[0]
            try:
                batch = self._batch(request.model)
                if batch is None:
                    return
                batch.add(request)
            except Exception as error:  # whatever is wrong with this model, others go on
                if not isinstance(error, TunewrightError):
                    log.exception("loading %s failed", request.model.key)
                self._ended.append(failed(request, _as_ours(error)))
            self._arrivals.popleft()

    def _batch(self, model: ModelSpec) -> Batch | None:
        """The batch of the base of `model`, loaded if need be; None when there is no room now."""
        base = (model.base, model.fingerprint)
        if base not in self._batches:
            if not self._make_room():
                return None
            self._batches[base] = Batch(Resident(Path(model.base)))
        self._batches[base] = self._batches.pop(base)  # now the most recently used
        return self._batches[base]

    def _make_room(self) -> bool:
        idle = [base for base, batch in self._batches.items() if not batch.rows]
        for base in idle:
            if len(self._batches) < self._limit:
                break
            del self._batches[base]
        return len(self._batches) < self._limit

    def _end(self, batch: Batch, spec: ModelSpec) -> None:
        for row in [row for row in batch.rows if row.request.model == spec]:
            batch.drop(row)
            error = NotFound(f"The model {spec.key} was removed while it was answering.")
            self._ended.append(failed(row.request, error))


def _as_ours(error: Exception) -> TunewrightError:
    if isinstance(error, TunewrightError):
        return error
    return Unavailable(f"The engine failed: {type(error).__name__}: {error}")
