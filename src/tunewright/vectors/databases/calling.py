"""Calls of a database's client: within a deadline, and with our errors only."""

import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from tunewright.errors import BadRequest, TunewrightError, Unavailable
from tunewright.vectors.databases.database import Database, Limits
from tunewright.vectors.databases.place import Place

T = TypeVar("T")

_REFUSED = {401, 403}
_OURS = {400, 404, 409, 413, 422}


DEADLINE = "TUNEWRIGHT_VECTORS_DEADLINE"  # seconds, for all databases that have a deadline


class Calls:
    """Of one database."""

    def __init__(self, database: Database, place: Place) -> None:
        self._database = database
        self._place = place
        self._workers: list[_Worker] = []  # that are idle
        self._seconds = deadline(database.limits)
        self.closed = False

    def __call__(self, do: Callable[[], T]) -> T:
        """What `do` gives. Raises Unavailable after the database's deadline, whatever its client
        waits for (one byte a second, say), and where it cannot be reached; TunewrightError for what
        it refuses."""
        if self.closed:
            raise Unavailable(f"The vector index {self._place} has been closed.")
        try:
            return do() if self._seconds is None else self._within(self._seconds, do)
        except TunewrightError:
            raise
        except Exception as error:
            raise self._plain(error) from error

    def _within(self, seconds: float, do: Callable[[], T]) -> T:
        worker = self._workers.pop() if self._workers else _Worker()
        answer = worker.start(do)
        try:
            given, error = answer.get(timeout=seconds)
        except Empty:  # it is left to itself: it ends when its client gives up
            worker.end()
            raise Unavailable(
                f"{self._place} has not answered within {seconds:g} seconds. Look whether it is "
                "overloaded; what was being written may be sent again."
            ) from None
        self._workers.append(worker)
        if error is not None:
            raise error
        return given

    def _plain(self, error: Exception) -> TunewrightError:
        if found := self._database.error_of(error):
            return found
        said = _said(error, self._place)
        if _status(error) in _REFUSED:
            return Unavailable(f"{self._place} refuses our key: {said}. Set the right one.")
        if _status(error) in _OURS:
            return TunewrightError(f"{self._place} refuses what we ask: {said}.")
        return Unavailable(
            f"{self._place} cannot be reached, or has failed: {said}. Look whether it runs; what "
            "was being written may be sent again."
        )

    def close(self) -> None:
        self.closed = True
        while self._workers:
            self._workers.pop().end()


class _Worker:
    """A thread that does one call after another. A daemon: one that hangs keeps nobody from
    ending."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Callable[[], Any], SimpleQueue[Any]] | None] = SimpleQueue()
        threading.Thread(target=self._run, name="vector-database", daemon=True).start()

    def start(self, do: Callable[[], Any]) -> "SimpleQueue[tuple[Any, BaseException | None]]":
        answer: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._calls.put((do, answer))
        return answer

    def end(self) -> None:
        self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            do, answer = call
            try:
                answer.put((do(), None))
            except BaseException as error:  # raised in the thread that waits
                answer.put((None, error))
            del call, do, answer  # nothing is kept while it waits


def deadline(limits: Limits) -> float | None:
    """Seconds; for clients that want to know it too. Raises BadRequest."""
    own, given = limits.seconds, os.environ.get(DEADLINE, "")
    if own is None or not given:
        return own
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < threading.TIMEOUT_MAX:
        raise BadRequest(f"{DEADLINE} is '{given[:40]}': expected a number of seconds above 0.")
    return seconds


def _status(error: Exception) -> int | None:
    """Of HTTP, where the client's exception knows it."""
    found = getattr(error, "status_code", None) or getattr(error, "status", None)
    return found if isinstance(found, int) else None


def _said(error: Exception, place: Place) -> str:
    """In one line, without the password."""
    text = " ".join(f"{type(error).__name__}: {error}".split())[:300].rstrip(". ")
    for secret in filter(None, (place.password, place.url if place.password else "")):
        text = text.replace(secret, "...")
    return text
