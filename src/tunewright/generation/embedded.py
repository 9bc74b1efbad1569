"""The embedded `Generator`: torch in this process, continuous batching, a few resident bases."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from transformers.utils import logging as transformers_logging

from tunewright.errors import Busy, NotFound, TunewrightError, Unavailable
from tunewright.generation.batch import Batch
from tunewright.generation.generator import ModelSpec, Piece, Request
from tunewright.generation.progress import PROGRESS
from tunewright.generation.resident import Resident
from tunewright.generation.row import Row, failed
from tunewright.generation.turns import Turns

RESIDENT_BASES = 2
# While others wait for its place a base stays so long, and several times what loading it took:
# most of the time goes into answers, not into loading.
SLICE_SECONDS = 1.0
SLICES_OF_LOADING = 4
LOADING_PATIENCE = 20.0

log = logging.getLogger(__name__)
transformers_logging.disable_progress_bar()  # a server's log is no terminal

_Base = tuple[str, str]


class EmbeddedGenerator:
    """Rows of one base and any of its adapters share a batch; bases take turns, a step each.

    A request for a base that is not resident loads it, in place of the least recently used one
    that is idle. While none is, the base that has been there longest makes room once its slice is
    over: its rows are suspended and read again when their turn comes. So nobody waits for the end
    of somebody else's long answers.
    """

    def __init__(self, resident_bases: int = RESIDENT_BASES) -> None:
        self._limit = resident_bases
        self._arrivals: Turns[Request] = Turns()
        self._batches: dict[_Base, _Place] = {}  # the least recently used first
        self._suspended: dict[_Base, list[Row]] = {}
        self._old_first = False
        self._ended: list[Piece] = []  # last pieces that the next step hands out

    @property
    def busy(self) -> bool:
        waiting = self._ended or self._arrivals or self._suspended
        return bool(waiting) or any(place.batch.rows for place in self._batches.values())

    def load(self, model: ModelSpec) -> None:
        batch = self._batch(_base(model))
        if batch is None:
            raise Busy("All places for base models are in use. Try again in a moment.")
        batch.resident.slot(model, [row.slot for row in batch.rows])

    def unload(self, key: str) -> None:
        for base, rows in list(self._suspended.items()):
            gone = [row for row in rows if row.request.model.key == key]
            self._ended += [_removed(row.request) for row in gone]
            self._keep_suspended(base, [row for row in rows if row not in gone])
        for base, place in list(self._batches.items()):
            resident = place.batch.resident
            for spec in [spec for spec in resident.specs if spec.key == key]:
                self._end(place.batch, spec)
                resident.forget(spec)
            if not resident.specs:
                del self._batches[base]

    def submit(self, request: Request) -> None:
        self._arrivals.add(request.organisation, request)

    def cancel(self, id: int) -> None:
        for request in [request for request in self._arrivals if request.id == id]:
            self._arrivals.remove(request.organisation, request)
        for base, rows in list(self._suspended.items()):
            self._keep_suspended(base, [row for row in rows if row.request.id != id])
        for place in self._batches.values():
            for row in place.batch.rows:
                if row.request.id == id:
                    place.batch.drop(row)

    def step(self) -> list[Piece]:
        # Those that were suspended and those that are new come first by turns: neither starves.
        self._old_first = not self._old_first
        if self._old_first:
            self._take_back_suspended()
        self._place_arrivals()
        self._take_back_suspended()
        pieces, self._ended = self._ended, []
        busy = [(base, place) for base, place in self._batches.items() if place.batch.rows]
        for base, place in busy:
            pieces += self._stepped(base, place, alone=len(busy) == 1)
        return pieces

    def _stepped(self, base: _Base, place: "_Place", alone: bool) -> list[Piece]:
        try:
            pieces = place.batch.step(alone)
            # What is half read is kept; what runs is read again: without a token, for ever.
            place.advanced = place.advanced or bool(pieces) or not place.batch.running
            return pieces
        except Exception as error:  # out of memory, or a model that cannot be run
            log.exception("generating with %s failed", base[0])
            del self._batches[base]  # its caches may be half written
            return [failed(row.request, _as_ours(error)) for row in place.batch.rows]

    def _place_arrivals(self) -> None:
        while (request := self._arrivals.next(self._placeable)) is not None:
            self._arrivals.remove(request.organisation, request)
            with self._own_fault(request):
                batch = self._batch(_base(request.model))
                assert batch is not None, "it was placeable"
                batch.add(request)

    def _take_back_suspended(self) -> None:
        for base in list(self._suspended):
            for row in self._suspended.pop(base) if self._can_load(base) else ():
                with self._own_fault(row.request):
                    batch = self._batch(base)
                    assert batch is not None, "it could be loaded"
                    batch.take_back(row)

    @contextmanager
    def _own_fault(self, request: Request) -> Iterator[None]:
        """Whatever is wrong with this request or its model, others go on."""
        try:
            yield
        except Exception as error:
            if not isinstance(error, TunewrightError):
                log.exception("loading %s failed", request.model.key)
            self._ended.append(failed(request, _as_ours(error)))

    def _placeable(self, request: Request) -> bool:
        base = _base(request.model)
        return base not in self._suspended and self._can_load(base)

    def _can_load(self, base: _Base) -> bool:
        return base in self._batches or len(self._batches) < self._limit or bool(self._to_leave())

    def _to_leave(self) -> _Base | None:
        """The base that makes room for another one: an idle one, else one whose slice is over."""
        for base, place in self._batches.items():
            if not place.batch.rows:
                return base
        eldest = min(self._batches, key=lambda base: self._batches[base].since)
        return eldest if self._batches[eldest].over else None

    def _batch(self, base: _Base) -> Batch | None:
        """The batch of `base`, loaded if need be; None when there is no room now."""
        if base not in self._batches:
            if not self._make_room():
                return None
            self._batches[base] = _Place.load(base)
        self._batches[base] = self._batches.pop(base)  # now the most recently used
        return self._batches[base].batch

    def _make_room(self) -> bool:
        while len(self._batches) >= self._limit:
            base = self._to_leave()
            if base is None:
                return False
            rows = self._batches.pop(base).batch.rows
            for row in rows:
                row.suspend()
            self._keep_suspended(base, [*self._suspended.get(base, []), *rows])
        return True

    def _keep_suspended(self, base: _Base, rows: list[Row]) -> None:
        if rows:
            self._suspended[base] = rows
        else:
            self._suspended.pop(base, None)

    def _end(self, batch: Batch, spec: ModelSpec) -> None:
        for row in [row for row in batch.rows if row.request.model == spec]:
            batch.drop(row)
            self._ended.append(_removed(row.request))


@dataclass
class _Place:
    """A base in memory since when, and how long it may stay while others wait for its place."""

    batch: Batch
    since: float
    slice: float
    advanced: bool = False  # whether anything is won by what it has done here

    @classmethod
    def load(cls, base: _Base) -> "_Place":
        began = time.monotonic()
        PROGRESS.begin(LOADING_PATIENCE)
        resident = Resident(Path(base[0]))
        loaded = time.monotonic()
        batch = Batch(resident)
        PROGRESS.begin()
        now = time.monotonic()
        parts = (resident.directory.name, now - began, loaded - began, now - loaded)
        log.info("%s is ready after %.1f s: weights %.1f s, checks and a first pass %.1f s", *parts)
        return cls(batch, now, max(SLICE_SECONDS, SLICES_OF_LOADING * (now - began)))

    @property
    def over(self) -> bool:
        return self.advanced and time.monotonic() - self.since > self.slice


def _base(model: ModelSpec) -> _Base:
    return model.base, model.fingerprint


def _removed(request: Request) -> Piece:
    error = NotFound(f"The model {request.model.key} was removed while it was answering.")
    return failed(request, error)


def _as_ours(error: Exception) -> TunewrightError:
    if isinstance(error, TunewrightError):
        return error
    return Unavailable(f"The engine failed: {type(error).__name__}: {error}")
