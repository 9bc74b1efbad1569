"""The engine as the API and the workers see it: one connection, many calls in flight."""

import itertools
import logging
import queue
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from tunewright.embedding.encoder import Source
from tunewright.errors import NotRunning, TunewrightError, Unavailable
from tunewright.generation.generator import Logprob, ModelSpec, Reason, Request, Scores
from tunewright.serving.protocol import (
    Message,
    ProtocolError,
    address,
    error_from,
    logprobs_from,
    pack,
    receive,
    request_fields,
    scores_from,
)

# The engine enforces deadlines itself; only one that hangs is later than this, in seconds.
_GRACE = 5.0
_SEND_SECONDS = 10
_TICK_MS = 2000
_MORE_FOLLOWS = frozenset({"delta", "prompt", "vectors"})
_STOPPED = "The engine stopped while it was working on this. Try again."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delta:
    """New tokens. `logprobs`, `prompt`: as in `Piece`; empty where they were not asked for."""

    ids: list[int]
    logprobs: list[Logprob] = field(default_factory=list)
    prompt: list[Logprob] = field(default_factory=list)


@dataclass(frozen=True)
class Done:
    reason: Reason


@dataclass(frozen=True)
class Failed:
    error: TunewrightError


EngineEvent = Delta | Done | Failed


@dataclass
class _Call:
    """One open call. The reader thread gives `take` its messages, or `fail` its end without one."""

    take: Callable[[Message], None]
    fail: Callable[[TunewrightError], None]
    overdue: float


class _Link:
    """One living connection, its reader thread, and the calls that are open on it."""

    def __init__(self, path: Path) -> None:
        self._sock = _connected(path)
        self._sending = threading.Lock()
        self._lock = threading.Lock()
        self._open: dict[int, _Call] = {}
        self.alive = True
        try:
            threading.Thread(target=self._read, name="engine-reader", daemon=True).start()
        except RuntimeError as error:
            self._sock.close()
            raise NotRunning("The server has no thread left. Try again in a moment.") from error

    def open(self, id: int, call: _Call, message: Message) -> None:
        """Send what opens a call. Raises Unavailable, and then `call` hears nothing."""
        frame = pack(message)
        with self._lock:
            if not self.alive:
                raise Unavailable(_STOPPED)
            self._open[id] = call
        if not self._send(frame) and self.forget(id):
            raise Unavailable(_STOPPED)

    def forget(self, id: int) -> bool:
        """Whether the call was still open; nobody else ends it now."""
        with self._lock:
            return self._open.pop(id, None) is not None

    def cancel(self, id: int) -> None:
        if self.forget(id):
            self._send(pack({"op": "cancel", "id": id}))

    def close(self) -> None:
        """End the connection; the reader thread fails what is open."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def _send(self, frame: bytes) -> bool:
        try:
            with self._sending:
                self._sock.sendall(frame)
        except OSError:
            self.close()  # part of a frame may be out: nothing can follow it
            return False
        return True

    def _read(self) -> None:
        try:
            poll = select.poll()
            poll.register(self._sock, select.POLLIN)
            look = 0.0
            while True:
                if poll.poll(_TICK_MS):
                    message = receive(self._sock)
                    if message is None:
                        break
                    self._dispatch(message)
                if time.monotonic() >= look:  # not for every token: it looks at all that is open
                    look = time.monotonic() + _TICK_MS / 1000
                    self._fail_overdue()
        except (OSError, ProtocolError) as error:
            log.warning("lost the engine: %s", error)
        finally:
            self._end()

    def _dispatch(self, message: Message) -> None:
        id = message.get("id", -1)
        with self._lock:
            more = message["op"] in _MORE_FOLLOWS
            call = self._open.get(id) if more else self._open.pop(id, None)
        if call is not None:  # else it was cancelled while this was on its way
            self._guarded(id, call.take, message)

    def _guarded(self, id: int, callback: Callable[[Any], None], value: Any) -> None:
        try:
            callback(value)
        except Exception:  # one caller's fault must not silence all the others
            log.exception("the callback of an engine call raised; the call is cancelled")
            self.cancel(id)

    def _fail_overdue(self) -> None:
        now = time.monotonic()
        with self._lock:
            late = [id for id, call in self._open.items() if call.overdue < now]
            calls = [(id, self._open.pop(id)) for id in late]
        for id, call in calls:
            self._send(pack({"op": "cancel", "id": id}))
            self._guarded(id, call.fail, Unavailable("The engine did not answer in time."))

    def _end(self) -> None:
        with self._lock:
            self.alive = False
            calls, self._open = self._open, {}
        self.close()  # wakes a thread that is sending; only then may the descriptor go
        with self._sending:
            self._sock.close()
        for id, call in calls.items():
            self._guarded(id, call.fail, Unavailable(_STOPPED))


def _connected(path: Path) -> socket.socket:
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise NotRunning("The server has no file left for this. Try again in a moment.") from error
    # Only for sending: a reader may wait as long as it likes, a full engine may not stall us.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SEND_SECONDS, 0))
    try:
        with address(path) as name:
            sock.connect(name)
    except OSError as error:
        sock.close()
        raise NotRunning("The engine is not running (yet). Try again in a moment.") from error
    return sock


class Handle(Protocol):
    """A call in flight. `cancel` may be called any number of times, from any thread."""

    def cancel(self) -> None:
        """Stop soon; no event that begins after this returns is sent."""
        ...


@dataclass(frozen=True)
class _LinkHandle:
    _link: _Link
    _id: int

    def cancel(self) -> None:
        self._link.cancel(self._id)


class EngineClient:
    """Thread-safe; connects on first use and again after the engine has restarted.

    Nothing is ever sent twice: a call that was open when the engine died fails, once, with
    Unavailable, and it is the caller who decides about another.
    """

    def __init__(self, socket: Path, *, seconds: float = 600.0) -> None:
        """`seconds`: the longest that one generation may take."""
        self._path = socket
        self._seconds = seconds
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._link: _Link | None = None

    def submit(
        self,
        request: Request,
        on_event: Callable[[EngineEvent], None],
        seconds: float | None = None,
    ) -> Handle:
        """Start generating. Any number of Delta, then one Done or Failed, unless cancelled.

        `on_event` runs on the reader thread, perhaps before this returns, and must not block.
        `request.id` is the caller's own and need not be unique. Raises Unavailable when there is
        no engine; `on_event` is then not called.
        """
        seconds = seconds or self._seconds
        prompt: list[Logprob] = []

        def take(message: Message) -> None:
            if message["op"] == "prompt":
                prompt.extend(logprobs_from(message["prompt"]))
                return
            event = _event(message)
            if prompt and isinstance(event, Delta):
                event = replace(event, prompt=prompt.copy())
                prompt.clear()
            on_event(event)

        def fail(error: TunewrightError) -> None:
            on_event(Failed(error))

        fields = {"op": "submit", "seconds": seconds, "request": request_fields(request)}
        return self._open(take, fail, fields, seconds)

    def generate(self, request: Request, seconds: float | None = None) -> Iterator[EngineEvent]:
        """The same as an iterator, the last event included. Leaving the loop cancels."""
        events: queue.SimpleQueue[EngineEvent] = queue.SimpleQueue()
        handle = self.submit(request, events.put, seconds)
        try:
            while True:
                event = events.get()
                yield event
                if not isinstance(event, Delta):
                    return
        finally:
            handle.cancel()

    def score(
        self,
        model: ModelSpec,
        rows: Sequence[tuple[list[int], list[int]]],
        timeout: float = 600.0,
        *,
        organisation: str = "",
    ) -> list[Scores]:
        """Teacher-forced scores of (prompt ids, answer ids) rows, computed as serving computes.

        organisation: whose rows they are; what was read of its prompts before is not read again.
        """
        message = {
            "op": "score",
            "seconds": timeout,
            "model": asdict(model),
            "rows": list(rows),
            "organisation": organisation,
        }
        answer = self._ask(message, timeout)
        return [scores_from(fields) for fields in answer["rows"]]

    def embed(
        self,
        source: Source,
        inputs: Sequence[Sequence[int]],
        on_message: Callable[[Message | TunewrightError], None],
        *,
        skips: Sequence[int] = (),
        seconds: float | None = None,
    ) -> Handle:
        """Start embedding; as `submit`. Any number of `vectors`, then `ok` or an error.

        What is said of `on_message`'s messages, and the ready-made way: `serving.remote`.
        """
        seconds = seconds or self._seconds

        def take(message: Message) -> None:
            on_message(error_from(message) if message["op"] == "error" else message)

        fields = {"op": "embed", "seconds": seconds, "source": asdict(source)}
        fields |= {"inputs": inputs, "skips": skips}
        return self._open(take, on_message, fields, seconds)

    def load(self, model: ModelSpec, timeout: float = 600.0) -> None:
        """Make `model` resident. Raises Corrupt, NotFound, Busy or Unavailable."""
        self._ask({"op": "load", "model": asdict(model)}, timeout)

    def unload(self, key: str, timeout: float = 30.0, *, if_idle: bool = False) -> None:
        """Forget the model `key`: its running generations fail with NotFound.

        if_idle: raises Busy instead while there are any.
        """
        self._ask({"op": "unload", "key": key, "if_idle": if_idle}, timeout)

    def ping(self, timeout: float = 5.0) -> None:
        """Raises Unavailable unless the engine's main loop answers within `timeout` seconds."""
        self._ask({"op": "ping"}, timeout)

    def close(self) -> None:
        """Let go of the connection; open calls fail. The next call connects again."""
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.close()

    def _ask(self, message: Message, timeout: float) -> Message:
        answers: queue.SimpleQueue[Message | TunewrightError] = queue.SimpleQueue()
        handle = self._open(answers.put, answers.put, message, timeout)
        try:
            answer = answers.get(timeout=timeout)
        except queue.Empty:
            handle.cancel()
            raise Unavailable(f"The engine did not answer within {timeout:g} s.") from None
        if isinstance(answer, TunewrightError):
            raise answer
        if answer["op"] == "error":
            raise error_from(answer)
        return answer

    def _open(
        self,
        take: Callable[[Message], None],
        fail: Callable[[TunewrightError], None],
        message: Message,
        seconds: float,
    ) -> Handle:
        link, id = self._connection(), next(self._ids)
        call = _Call(take, fail, time.monotonic() + seconds + _GRACE)
        link.open(id, call, {**message, "id": id})
        return _LinkHandle(link, id)

    def _connection(self) -> _Link:
        with self._lock:
            if self._link is None or not self._link.alive:
                self._link = _Link(self._path)
            return self._link


class Submit(Protocol):
    """How a request of an organisation gets its rows into the engine: `serving.rows`."""

    def check(self, rows: int) -> None:
        """Raises BadRequest for more rows than one request can ever have, MissingExtra where the
        engine could not compute one."""
        ...

    def reserve(self, rows: int) -> Callable[[], None]:
        """Take room for the rows of one request; what is returned gives it back. Raises Busy."""
        ...

    def __call__(self, request: Request, on_event: Callable[[EngineEvent], None]) -> Handle:
        """As `EngineClient.submit`, but what cannot be sent is Failed to `on_event`."""
        ...


def _event(message: Message) -> EngineEvent:
    if message["op"] == "delta":
        return Delta(message["ids"], logprobs_from(message.get("logprobs", [])))
    if message["op"] == "done":
        return Done(message["reason"])
    return Failed(error_from(message))
