"""All choices of one request in flight, from the engine's tokens to events.

The chat and completion resources turn the events into wire objects.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence

from tunewright.answering.choices import Choice, ChoiceRequest, Event
from tunewright.errors import TunewrightError
from tunewright.rendering import Renderer
from tunewright.serving.client import EngineEvent, Failed, Submit


class Generation:
    """All choices of one request. `start` once; iterate, or give `start` a callback.

    The callback runs on the engine client's reader thread and must not block.
    """

    def __init__(
        self,
        submit: Submit,
        renderer: Renderer,
        requests: Sequence[ChoiceRequest],
        stops: list[str],
    ) -> None:
        self._to_engine = submit
        self._choices = [
            Choice(index, asked, renderer, stops) for index, asked in enumerate(requests)
        ]
        self._left = len(self._choices)
        self._release: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._emit: Callable[[Event | None], None] = lambda _: None

    def start(self, emit: Callable[[Event | None], None]) -> None:
        """Begin. `emit` gets every event, and None after the last one (or after an error)."""
        self._emit = emit
        try:
            self._release = self._to_engine.reserve(len(self._choices))
        except TunewrightError as error:
            self._end_with(error)
        for choice in self._choices:
            if self._left:
                self._submit(choice)
        if not self._left:
            self._release()

    def cancel(self) -> None:
        """Stop whatever still runs; nothing is emitted afterwards."""
        with self._lock:
            self._left = 0
        for choice in self._choices:
            choice.stop()
        self._release()

    def __iter__(self) -> Iterator[Event]:
        events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.start(events.put)
        try:
            while (event := events.get()) is not None:
                if isinstance(event, TunewrightError):
                    raise event
                yield event
        finally:
            self.cancel()

    def _submit(self, choice: Choice) -> None:
        choice.handle = self._to_engine(choice.asked.request, lambda event: self._on(choice, event))
        if choice.ended:  # before there was a handle to stop it by
            choice.stop()

    def _on(self, choice: Choice, event: EngineEvent) -> None:
        if choice.ended:
            return
        if isinstance(event, Failed):
            self._end_with(event.error)
            return
        for out in choice.take(event):
            self._pass_on(out)
        if choice.ended:
            choice.stop()
            self._count_down()

    def _pass_on(self, event: Event) -> None:
        with self._lock:
            if self._left:
                self._emit(event)

    def _count_down(self) -> None:
        with self._lock:
            if self._left:
                self._left -= 1
                if not self._left:
                    self._release()
                    self._emit(None)

    def _end_with(self, error: TunewrightError) -> None:
        self._pass_on(error)
        with self._lock:
            open_, self._left = self._left, 0
        if open_:
            self._emit(None)
        for choice in self._choices:
            choice.stop()
        self._release()
