"""The engine process: many connections, one main loop that owns the generator and steps it.

An acceptor thread and a reader thread per connection put what arrives into one inbox; the main
loop alone touches the generator. It sleeps in the inbox when there is nothing to do. What asks for
embeddings goes past it to a thread of its own (`serving.embedding`), so that neither waits for the
other. The process holds nothing that would have to be saved, so signals kill it on the spot.
"""

import logging
import queue
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from tunewright.errors import Busy, TunewrightError, Unavailable
from tunewright.generation.generator import Generator, ModelSpec, Piece, Request, Scores
from tunewright.generation.progress import PROGRESS
from tunewright.serving.connection import Connection
from tunewright.serving.embedding_queue import EmbeddingQueue, Encoders, open_encoders
from tunewright.serving.protocol import (
    Message,
    ProtocolError,
    logprob_fields,
    parts,
    request_from,
)

OPEN_ROWS = 1024
_BACKLOG_TICK = 0.02
_DEADLINE_TICK = 0.25
_ACCEPT_SECONDS = 0.2  # between two attempts while files are short

Arrival = tuple[Connection, Message | None]

log = logging.getLogger(__name__)


@dataclass
class Call:
    """A submit (one row) or a score (a row each) that a connection waits for."""

    connection: Connection
    id: int
    deadline: float
    model: str | None = None  # its key
    rows: list[int] = field(default_factory=list)
    scores: dict[int, Scores] = field(default_factory=dict)


class Server:
    """Translates messages into generator calls and pieces into messages. One thread runs it."""

    def __init__(
        self, generator: Generator, encoders: Callable[[], Encoders] = open_encoders
    ) -> None:
        """encoders: opened when somebody first asks for embeddings."""
        self._generator = generator
        self._embeddings = EmbeddingQueue(encoders)
        self._inbox: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self._connections: set[Connection] = set()
        self._calls: dict[tuple[Connection, int], Call] = {}
        self._rows: dict[int, Call] = {}  # by the generator's row id
        self._ids = count(1)
        self._next_look = 0.0
        self._operations: dict[str, Callable[[Connection, Message], None]] = {
            "submit": self._submit,
            "score": self._score,
            "cancel": self._cancel,
            "load": self._load,
            "unload": self._unload,
            "ping": lambda connection, message: connection.say("ok", message["id"]),
        }

    def accept(self, listener: socket.socket) -> None:
        """The acceptor thread's work: a reader thread for every connection."""
        while True:
            try:
                sock, _ = listener.accept()
            except OSError as error:  # no file is left: those who connect wait in the queue
                log.warning("no connection can be taken: %s", error)
                time.sleep(_ACCEPT_SECONDS)
                continue
            read = partial(Connection(sock).read, self._deliver)
            try:
                threading.Thread(target=read, name="reader", daemon=True).start()
            except RuntimeError as error:  # no thread is left
                log.warning("a connection is refused: %s", error)
                sock.close()

    def _deliver(self, connection: Connection, message: Message | None) -> None:
        """A reader thread has a message, or the end of its connection (None)."""
        if not self._embeddings.take(connection, message):
            self._inbox.put((connection, message))

    def run(self) -> None:
        """Serve for ever."""
        threading.Thread(target=self._embeddings.run, name="embeddings", daemon=True).start()
        backlog = False
        while True:
            PROGRESS.begin()
            self._take_arrivals(backlog)
            self._embeddings.alone = not self._generator.busy
            if self._generator.busy:
                for piece in self._step():
                    self._pass_on(piece)
            self._end_overdue()
            backlog = sum(connection.flush() for connection in self._connections) > 0

    def _step(self) -> list[Piece]:
        """A generator answers for its rows' faults itself. One that raises fails all that are open,
        once, and those that come afterwards find it empty."""
        try:
            return self._generator.step()
        except Exception as error:
            log.exception("the generator failed")
            failed = Unavailable(f"The engine failed: {type(error).__name__}: {error}")
            for call in {id(call): call for call in self._rows.values()}.values():
                self._fail(call, failed)
            return []

    def _take_arrivals(self, backlog: bool) -> None:
        """All that has arrived; waits for something when there is nothing else to do."""
        try:
            if self._generator.busy:
                self._take(*self._inbox.get_nowait())
            else:
                self._embeddings.alone = True
                PROGRESS.rest()
                arrived = self._inbox.get(timeout=_BACKLOG_TICK if backlog else None)
                PROGRESS.begin()
                self._take(*arrived)
            while True:
                self._take(*self._inbox.get_nowait())
        except queue.Empty:
            return

    def _take(self, connection: Connection, message: Message | None) -> None:
        if message is None:
            self._connections.discard(connection)
            for call in [call for (by, _), call in self._calls.items() if by is connection]:
                self._end(call)
            return
        self._connections.add(connection)
        id = message.get("id", -1)
        try:
            self._operations[message["op"]](connection, message)
        except TunewrightError as error:
            self._refuse(connection, id, error)
        except (ProtocolError, KeyError, TypeError, ValueError) as error:
            log.warning("a client sent what cannot be understood: %r", error)
            connection.close()
        except Exception as error:  # torch's: it must not end the engine for everybody
            log.exception("%s failed", message["op"])
            self._refuse(connection, id, Unavailable(f"The engine failed: {error}"))

    def _refuse(self, connection: Connection, id: int, error: TunewrightError) -> None:
        connection.fail(id, error)
        call = self._calls.get((connection, id))
        if call is not None:  # it had begun
            self._end(call)

    def _submit(self, connection: Connection, message: Message) -> None:
        self._begin(connection, message, [request_from(next(self._ids), message["request"])])

    def _score(self, connection: Connection, message: Message) -> None:
        model, organisation = ModelSpec(**message["model"]), message["organisation"]
        requests = [
            Request(next(self._ids), model, prompt, forced=answer, organisation=organisation)
            for prompt, answer in message["rows"]
        ]
        self._begin(connection, message, requests)
        if not requests:
            self._finish_scores(self._calls[connection, message["id"]])

    def _begin(self, connection: Connection, message: Message, requests: list[Request]) -> None:
        if self._rows and len(self._rows) + len(requests) > OPEN_ROWS:
            raise Busy("The engine has as much to do as it can take. Try again in a moment.")
        deadline = time.monotonic() + message["seconds"]
        rows = [request.id for request in requests]
        model = requests[0].model.key if requests else None
        call = Call(connection, message["id"], deadline, model, rows)
        self._calls[connection, call.id] = call
        for request in requests:
            self._rows[request.id] = call
            self._generator.submit(request)

    def _cancel(self, connection: Connection, message: Message) -> None:
        call = self._calls.get((connection, message["id"]))
        if call is not None:  # else it ended while this was on its way
            self._end(call)

    def _load(self, connection: Connection, message: Message) -> None:
        self._generator.load(ModelSpec(**message["model"]))
        connection.say("ok", message["id"])

    def _unload(self, connection: Connection, message: Message) -> None:
        if message.get("if_idle") and message["key"] in {c.model for c in self._rows.values()}:
            raise Busy("The model is being used.")
        self._generator.unload(message["key"])
        connection.say("ok", message["id"])

    def _pass_on(self, piece: Piece) -> None:
        call = self._rows.get(piece.id)
        if call is None:
            return
        try:
            self._tell(call, piece)
        except TunewrightError as error:  # what cannot be said of one row harms no other
            self._fail(call, error)
        except Exception as error:
            log.exception("a piece of an answer cannot be passed on")
            self._fail(call, Unavailable(f"The engine failed: {type(error).__name__}: {error}"))

    def _fail(self, call: Call, error: TunewrightError) -> None:
        call.connection.fail(call.id, error)
        self._end(call)

    def _tell(self, call: Call, piece: Piece) -> None:
        for part in parts(piece.prompt):
            call.connection.say("prompt", call.id, prompt=part)
        if piece.ids or piece.prompt:
            told = {"logprobs": logprob_fields(piece.logprobs)} if piece.logprobs else {}
            call.connection.say("delta", call.id, ids=piece.ids, **told)
        if piece.error is not None:
            self._fail(call, piece.error)
        elif piece.scores is not None:
            self._keep_scores(call, piece.id, piece.scores)
        elif piece.finished is not None:
            call.connection.say("done", call.id, reason=piece.finished)
            self._end(call)

    def _keep_scores(self, call: Call, row: int, scores: Scores) -> None:
        call.scores[row] = scores
        del self._rows[row]
        if len(call.scores) == len(call.rows):
            self._finish_scores(call)

    def _finish_scores(self, call: Call) -> None:
        # Too long for a frame: it is refused, and can be asked for in parts.
        rows = [vars(call.scores[row]) for row in call.rows]
        call.connection.say("scores", call.id, rows=rows)
        self._end(call)

    def _end(self, call: Call) -> None:
        """Forget a call; whatever of it still runs is cancelled."""
        self._calls.pop((call.connection, call.id), None)
        for row in call.rows:
            if self._rows.pop(row, None) is not None:
                self._cancel_row(row)

    def _cancel_row(self, row: int) -> None:
        try:
            self._generator.cancel(row)
        except Exception:  # its pieces are for nobody; what it takes is freed with its base
            log.exception("a row cannot be cancelled")

    def _end_overdue(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _DEADLINE_TICK
        for call in {id(call): call for call in self._rows.values()}.values():
            if call.deadline < now:
                self._fail(call, Unavailable("The time for this request is over."))
