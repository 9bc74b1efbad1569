"""The answers of all organisations on their way to the engine: counted, paid for, and by turns.

A request for many answers would otherwise be one place of many and all the engine's work, and its
prompt would be sent and kept once for each. So an organisation has OPEN_EACH rows in the engine at
most, what fills its batches with as many behind; the others wait here, where they share a prompt.
What a row can use of the organisation's tokens is taken before it waits, and settled when it ends.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from tunewright.errors import BadRequest, Busy, MissingExtra, TunewrightError
from tunewright.generation import lacks_torch
from tunewright.generation.generator import Request
from tunewright.generation.turns import Turns
from tunewright.serving.client import Delta, EngineClient, EngineEvent, Failed, Handle

OPEN_EACH = 32
OPEN = 512
SHARES = 4  # of all rows; one organisation has one at most

OnEvent = Callable[[EngineEvent], None]
Reserve = Callable[[int, int], int]
Spend = Callable[[int], None]


class Rows:
    """Thread-safe. One for all organisations; `of` gives one its own way in."""

    def __init__(self, engine: EngineClient, most: int, generator: str = "embedded") -> None:
        """most: rows of one organisation under way, and so of one request. generator: the name of
        the engine's."""
        self._engine = engine
        self._most = most
        self._lacks_torch = lacks_torch(generator)
        self._lock = threading.Lock()
        self._waiting: Turns[_Row] = Turns()
        self._inside: Counter[str] = Counter()
        self._reserved: Counter[str] = Counter()
        self._looks = 0

    def of(
        self,
        organisation: str,
        reserve: Reserve = lambda least, most: 0,
        spend: Spend = lambda tokens: None,
    ) -> "OwnRows":
        """`reserve` is asked for the least and the most tokens that a row can read and write, and
        gives what it took; `spend` hears the difference to what was used, as soon as no more can
        be."""
        return OwnRows(self, organisation, reserve, spend)

    def check(self, rows: int) -> None:
        """Raises BadRequest for more rows than one request can ever have, MissingExtra where the
        engine could not compute one."""
        if self._lacks_torch:
            raise MissingExtra("Generating text", "train")
        if rows > self._most:
            raise BadRequest(
                f"This request asks for {rows} answers (prompts times 'n' or 'best_of'); at most "
                f"{self._most} are made for one request. Send several requests instead.",
                param="n",
                code="too_many_answers",
            )

    def reserve(self, organisation: str, rows: int) -> Callable[[], None]:
        """Room for the rows of one request; call what is returned when the request has ended.

        Raises BadRequest as `check` does, and Busy where there is no room now. An organisation
        that has nothing under way always finds some.
        """
        self.check(rows)
        with self._lock:
            mine, all_ = self._reserved[organisation], self._reserved.total()
            if mine and (mine + rows > self._most or all_ + rows > SHARES * self._most):
                raise Busy(
                    f"The server is busy: {mine} answers for your organisation are under way, at "
                    f"most {self._most} at a time."
                )
            self._reserved[organisation] += rows
        left = [rows]

        def release() -> None:
            with self._lock:
                self._reserved[organisation] -= left.pop() if left else 0
                if not self._reserved[organisation]:
                    del self._reserved[organisation]

        return release

    def add(self, row: "_Row") -> None:
        with self._lock:
            self._waiting.add(row.organisation, row)
        self.go_on()

    def drop(self, row: "_Row") -> bool:
        """Whether it was still waiting."""
        with self._lock:
            return self._waiting.remove(row.organisation, row)

    def leave(self, row: "_Row") -> None:
        with self._lock:
            if not row.inside:
                return
            row.inside = False
            self._inside[row.organisation] -= 1
            if not self._inside[row.organisation]:
                del self._inside[row.organisation]
        self.go_on()

    def go_on(self) -> None:
        """Start what may start. One thread does so at a time: a start that fails comes back here,
        and a thousand of them would be as many calls deep."""
        with self._lock:
            self._looks += 1
            if self._looks > 1:
                return
        while True:
            while (row := self._pick()) is not None:
                row.start(self._engine)
            with self._lock:
                if self._looks == 1:
                    self._looks = 0
                    return
                self._looks = 1

    def _pick(self) -> "_Row | None":
        with self._lock:
            row = self._waiting.next(lambda row: self._inside[row.organisation] < OPEN_EACH)
            if row is None or self._inside.total() >= OPEN:
                return None
            self._waiting.remove(row.organisation, row)
            self._inside[row.organisation] += 1
            row.inside = True
            return row


class OwnRows:
    """`Submit` for one organisation."""

    def __init__(self, rows: Rows, organisation: str, reserve: Reserve, spend: Spend) -> None:
        self._rows = rows
        self._organisation = organisation
        self._reserve = reserve
        self._spend = spend

    def check(self, rows: int) -> None:
        self._rows.check(rows)

    def reserve(self, rows: int) -> Callable[[], None]:
        return self._rows.reserve(self._organisation, rows)

    def __call__(self, request: Request, on_event: OnEvent) -> Handle:
        read = len(request.prompt)
        try:
            reserved = self._reserve(read + 1, read + request.max_tokens)
        except TunewrightError as error:
            on_event(Failed(error))
            return _NotSent()
        request = replace(request, organisation=self._organisation)
        row = _Row(self._rows, request, on_event, _Bill(reserved, read, self._spend))
        self._rows.add(row)
        return row


class _NotSent:
    def cancel(self) -> None:
        pass


class _Bill:
    """What one row was given, and what it used."""

    def __init__(self, reserved: int, read: int, spend: Spend) -> None:
        self._reserved = reserved
        self._used = read
        self._spend = spend
        self._lock = threading.Lock()
        self._settled = False

    def add(self, tokens: int) -> None:
        with self._lock:
            self._used += tokens

    def settle(self) -> None:
        """Once, whoever is first: the last event, or who cancels."""
        with self._lock:
            settled, self._settled = self._settled, True
        if not settled:
            self._spend(self._used - self._reserved)


class _Row:
    """One answer, from its place in the queue to its last event."""

    def __init__(self, rows: Rows, request: Request, on_event: OnEvent, bill: _Bill) -> None:
        self.organisation = request.organisation
        self.inside = False
        self._rows = rows
        self._request = request
        self._on_event = on_event
        self._bill = bill
        self._handle: Handle | None = None
        self._cancelled = False

    def start(self, engine: EngineClient) -> None:
        try:
            self._handle = engine.submit(self._request, self._hear)
        except TunewrightError as error:
            self._hear(Failed(error))
        if self._cancelled:
            self.cancel()

    def cancel(self) -> None:
        self._cancelled = True
        waits = self._rows.drop(self)
        if not waits and self._handle is not None:  # else not yet started: `start` looks again
            self._handle.cancel()
            self._rows.leave(self)
        self._bill.settle()

    def _hear(self, event: EngineEvent) -> None:
        if isinstance(event, Delta):
            self._bill.add(len(event.ids))
        else:
            self._rows.leave(self)
            self._bill.settle()
        if not self._cancelled:
            self._on_event(event)
