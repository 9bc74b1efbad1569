"""The tokens of an organisation's generations: taken before they run, settled when they end."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from tunewright.errors import TunewrightError
from tunewright.generation.generator import Request
from tunewright.serving.client import Delta, EngineEvent, Failed, Handle, Submit

OnEvent = Callable[[EngineEvent], None]


class Metered:
    """`Submit` for an organisation whose tokens are counted.

    `reserve` is asked before for the least and the most that a request can use, and gives what it
    took; `spend` hears the difference to what was used, as soon as no more can be.
    """

    def __init__(
        self, submit: Submit, reserve: Callable[[int, int], int], spend: Callable[[int], None]
    ) -> None:
        self._submit = submit
        self._reserve = reserve
        self._spend = spend

    def check(self, rows: int) -> None:
        self._submit.check(rows)

    def reserve(self, rows: int) -> Callable[[], None]:
        return self._submit.reserve(rows)

    def __call__(self, request: Request, on_event: OnEvent) -> Handle:
        read = len(request.prompt)
        try:
            reserved = self._reserve(read + 1, read + request.max_tokens)
        except TunewrightError as error:
            on_event(Failed(error))
            return _NotSent()
        bill = _Bill(reserved, read, self._spend)

        def hear(event: EngineEvent) -> None:
            bill.add(event)
            on_event(event)

        return _Billed(self._submit(request, hear), bill)


class _Bill:
    """What one generation was given, and what it used."""

    def __init__(self, reserved: int, read: int, spend: Callable[[int], None]) -> None:
        self._reserved = reserved
        self._used = read
        self._spend = spend
        self._lock = threading.Lock()
        self._settled = False

    def add(self, event: EngineEvent) -> None:
        if isinstance(event, Delta):
            with self._lock:
                self._used += len(event.ids)
        else:
            self.settle()

    def settle(self) -> None:
        """Once, whoever is first: the last event, or who cancels."""
        with self._lock:
            settled, self._settled = self._settled, True
        if not settled:
            self._spend(self._used - self._reserved)


@dataclass(frozen=True)
class _Billed:
    handle: Handle
    bill: _Bill

    def cancel(self) -> None:
        self.handle.cancel()
        self.bill.settle()


class _NotSent:
    def cancel(self) -> None:
        pass
