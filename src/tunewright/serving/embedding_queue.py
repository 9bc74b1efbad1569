"""Embeddings in the engine: a queue and a thread of their own, one bounded batch at a time.

Not among the generator's steps, for a batch of a large model takes seconds on a CPU, and a token
stream would stand still so long.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tunewright.embedding.encoder import Source
from tunewright.errors import Busy, MissingExtra, TunewrightError, Unavailable
from tunewright.generation.progress import Progress
from tunewright.serving.connection import Connection
from tunewright.serving.protocol import Message, ProtocolError, vector_frames

OPEN_TOKENS = 4_000_000  # of all calls: some 150 MB of ids
# While so much is unread by its client nothing more is computed for it: it would hold everybody's
# memory.
UNREAD = 4 * 1024 * 1024
SLICE_SECONDS = 1.0  # a model stays so long, and several times what loading it took
SLICES_OF_LOADING = 4
LOADING_PATIENCE = 20.0
IDLE_SECONDS = 1.0  # then memory that a burst took is given back
_TICK = 0.02

log = logging.getLogger(__name__)
PROGRESS = Progress()
"""Of the one thread that embeds."""


class Loaded(Protocol):
    """A model in memory."""

    def batches(self, inputs: Sequence[Sequence[int]]) -> list[list[int]]:
        """The places of `inputs` in batches. Raises BadRequest for what it cannot read."""
        ...

    def encode(
        self, inputs: Sequence[Sequence[int]], skips: Sequence[int], *, alone: bool
    ) -> NDArray[np.float32]:
        """Unit vectors [inputs, d] of one batch. alone: whether the generator rests meanwhile."""
        ...


class Encoders(Protocol):
    """The models in memory; one thread owns them."""

    def holds(self, source: Source) -> bool: ...

    def fits(self, source: Source) -> bool:
        """Whether it can be loaded without dropping another."""
        ...

    def load(self, source: Source) -> Loaded:
        """It, loaded if need be. Raises NotFound, Corrupt or BadRequest."""
        ...

    def rest(self) -> None:
        """Nothing is asked for: give back the memory that is free."""
        ...


def open_encoders() -> Encoders:
    """Imports torch. Raises MissingExtra where it is absent."""
    try:
        from tunewright.encoders.resident import ResidentEncoders
    except ImportError as error:
        if (error.name or "").startswith("tunewright"):
            raise
        raise MissingExtra(f"Embedding with torch ({error.name} is not installed)", "train") from (
            error
        )
    return ResidentEncoders(PROGRESS)


@dataclass(eq=False)
class _Call:
    """An `embed` that a connection waits for. `batches`: what is left to do, once it is planned."""

    connection: Connection
    id: int
    deadline: float
    source: Source
    inputs: list[list[int]]
    skips: list[int]  # of each input; empty: none
    over: bool = False
    batches: list[list[int]] | None = field(default=None)
    tokens: int = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = sum(map(len, self.inputs))


class EmbeddingQueue:
    """`take` in any thread, `run` in its own. Calls take turns, a batch each.

    `alone`: whether the generator rests, so that all processors are free.
    """

    def __init__(self, opened: Callable[[], Encoders]) -> None:
        self.alone = True
        self._opened = opened
        self._encoders: Encoders | None = None
        self._changed = threading.Condition()
        self._calls: list[_Call] = []  # the one whose turn it is comes first
        self._speaking: set[Connection] = set()  # to whom something may be unsent
        self._stays_until = 0.0
        self._worked = False

    def take(self, connection: Connection, message: Message | None) -> bool:
        """Whether it is for this queue alone. None: the connection has ended.

        Raises ProtocolError for what no client of ours sends."""
        if message is None or message["op"] == "cancel":
            id = None if message is None else message.get("id")
            self._end(lambda call: call.connection is connection and id in (None, call.id))
            return False  # it may concern the generator
        if message["op"] != "embed":
            return False
        call = _call(connection, message)
        with self._changed:
            busy = bool(self._calls) and self._tokens + call.tokens > OPEN_TOKENS
            if not busy:
                self._calls.append(call)
                self._changed.notify()
        if busy:
            error = Busy("The engine has as much to embed as it can take. Try again in a moment.")
            self._tell(connection, lambda: connection.fail(call.id, error))
        return True

    @property
    def _tokens(self) -> int:
        return sum(call.tokens for call in self._calls)

    def run(self) -> None:
        """Embed for ever."""
        while True:
            PROGRESS.begin()
            unsent = self._flush()
            call = self._next()
            if call is None:
                self._wait(unsent)
                continue
            self._worked = True
            try:
                self._advance(call)
            except TunewrightError as error:
                self._fail(call, error)
            except Exception as error:  # torch's: it must not end the engine for everybody
                log.exception("embedding with %s failed", call.source.directory)
                self._fail(call, Unavailable(f"The engine failed: {type(error).__name__}: {error}"))

    def _next(self) -> _Call | None:
        """The call whose turn it is, now behind the others."""
        self._end_overdue()
        with self._changed:
            ready = [call for call in self._calls if call.connection.unread < UNREAD]
            call = next(filter(self._may_start, ready), ready[0] if ready else None)
            if call is not None:
                self._calls.remove(call)
                self._calls.append(call)
            return call

    def _may_start(self, call: _Call) -> bool:
        """Models that take each other's place stay a while, or most time would go into loading."""
        encoders = self._encoders
        if encoders is None or encoders.holds(call.source) or encoders.fits(call.source):
            return True
        return time.monotonic() > self._stays_until

    def _wait(self, unsent: bool) -> None:
        """Until there may be something to do: a call comes, or a client takes what is for it."""
        with self._changed:
            if unsent or self._calls:
                self._changed.wait(_TICK)
                return
            PROGRESS.rest()
            if not self._changed.wait(IDLE_SECONDS if self._worked else None):
                self._worked = False
                if self._encoders is not None:
                    self._encoders.rest()

    def _advance(self, call: _Call) -> None:
        loaded = self._loaded(call.source)
        if call.batches is None:
            call.batches = loaded.batches(call.inputs)
        if call.batches:
            places = call.batches.pop()
            skips = [call.skips[place] for place in places] if call.skips else []
            inputs = [call.inputs[place] for place in places]
            rows = loaded.encode(inputs, skips, alone=self.alone)
            frames = list(vector_frames(call.id, places, rows))
            self._tell(call.connection, lambda: None if call.over else _put(call, frames))
        if not call.batches and self._remove(call):
            self._tell(call.connection, lambda: call.connection.say("ok", call.id))

    def _loaded(self, source: Source) -> Loaded:
        if self._encoders is None:
            self._encoders = self._opened()
        if self._encoders.holds(source):
            return self._encoders.load(source)
        began = time.monotonic()
        PROGRESS.begin(LOADING_PATIENCE)
        loaded = self._encoders.load(source)
        PROGRESS.begin()
        now = time.monotonic()
        self._stays_until = now + max(SLICE_SECONDS, SLICES_OF_LOADING * (now - began))
        log.info("%s is ready after %.1f s", source.directory, now - began)
        return loaded

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for call in self._end(lambda call: call.deadline < now):
            self._tell_failure(call, Unavailable("The time for this request is over."))

    def _end(self, which: Callable[[_Call], bool]) -> list[_Call]:
        """Forget the calls for which it holds; a batch that is being computed is for nobody."""
        with self._changed:
            ended = [call for call in self._calls if which(call)]
            for call in ended:
                call.over = True
                self._calls.remove(call)
            return ended

    def _remove(self, call: _Call) -> bool:
        """Whether it was still open; nobody else ends it now."""
        return bool(self._end(lambda other: other is call))

    def _fail(self, call: _Call, error: TunewrightError) -> None:
        if self._remove(call):
            self._tell_failure(call, error)

    def _tell_failure(self, call: _Call, error: TunewrightError) -> None:
        self._tell(call.connection, lambda: call.connection.fail(call.id, error))

    def _tell(self, connection: Connection, say: Callable[[], None]) -> None:
        say()
        if connection.flush():
            with self._changed:
                self._speaking.add(connection)
                self._changed.notify()

    def _flush(self) -> bool:
        """Whether somebody has still not taken everything."""
        with self._changed:
            speaking = list(self._speaking)
        done = {connection for connection in speaking if not connection.flush()}
        with self._changed:
            self._speaking -= done
            return bool(self._speaking)


def _put(call: _Call, frames: list[bytes]) -> None:
    for frame in frames:
        call.connection.put(frame)


def _ids(given: Any) -> bool:
    return isinstance(given, list) and bool(given) and all(type(id) is int for id in given)


def _call(connection: Connection, message: Message) -> _Call:
    """Raises ProtocolError for fields that do not make a call."""
    try:
        inputs: Any = message["inputs"]
        if not isinstance(inputs, list) or not all(map(_ids, inputs)):
            raise ValueError("inputs")
        source = Source(**message["source"])
        if not all(isinstance(value, str) for value in vars(source).values()):
            raise ValueError("source")
        deadline = time.monotonic() + float(message["seconds"])
        id, skips = message["id"], message["skips"]
        if type(id) is not int or id < 0:
            raise ValueError("id")
        if skips != [] and not (_ids(skips) and len(skips) == len(inputs) and min(skips) >= 0):
            raise ValueError("skips")
        return _Call(connection, id, deadline, source, inputs, skips)
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"an embed that cannot be read: {error!r}") from error
