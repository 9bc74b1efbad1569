"""Rows that wait for their grammar: compiled in a thread, by turns, while the other rows go on."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor, wait

from tunewright.errors import TunewrightError, Unavailable
from tunewright.generation.generator import Piece
from tunewright.generation.grammar import Grammar, Grammars
from tunewright.generation.row import Row, failed
from tunewright.generation.shaping import shape
from tunewright.generation.turns import Turns

_THREADS = ThreadPoolExecutor(2, thread_name_prefix="grammar")
_TICK = 0.02  # seconds that a step waits where it has nothing else to do

log = logging.getLogger(__name__)


class Compiling:
    """The rows of one base. One grammar at a time; whoever waits for the same one gets it too."""

    def __init__(self, grammars: Grammars) -> None:
        self._grammars = grammars
        self._waiting: Turns[Row] = Turns()
        self._under_way: tuple[Row, Future[Grammar | None]] | None = None

    @property
    def rows(self) -> list[Row]:
        under_way = [self._under_way[0]] if self._under_way else []
        return [*self._waiting, *under_way]

    def add(self, row: Row) -> bool:
        """Whether it need not wait: it has no grammar, or one that is compiled already."""
        if row.shape is not None or self._ready(row):
            return True
        self._waiting.add(row.organisation, row)
        return False

    def drop(self, row: Row) -> None:
        self._waiting.remove(row.organisation, row)
        if self._under_way and self._under_way[0] is row:
            self._under_way = None  # it comes to its end for nobody

    def step(self, idle: bool) -> tuple[list[Row], list[Piece]]:
        """The rows that need not wait any more, and the last pieces of those that are refused.
        idle: whether the caller has nothing else to do, so that it may wait a little."""
        ready, pieces = self._taken()
        if self._under_way is None and (row := self._waiting.next()) is not None:
            self._waiting.remove(row.organisation, row)
            self._under_way = row, _THREADS.submit(self._grammars.compile, row.request)
        if self._under_way and idle and not ready:
            wait([self._under_way[1]], timeout=_TICK)
        more, others = self._taken()
        return ready + more, pieces + others

    def _taken(self) -> tuple[list[Row], list[Piece]]:
        if self._under_way is None or not self._under_way[1].done():
            return [], []
        row, found = self._under_way
        self._under_way = None
        try:
            row.shape = shape(row.request, found.result())
        except TunewrightError as error:
            return [], [failed(row.request, error)]
        except Exception as error:
            log.exception("a grammar cannot be compiled")
            return [], [failed(row.request, Unavailable(f"The engine failed: {error}"))]
        like = [other for other in self._waiting if self._ready(other)]
        for other in like:
            self._waiting.remove(other.organisation, other)
        return [row, *like], []

    def _ready(self, row: Row) -> bool:
        grammar = self._grammars.kept(row.request)
        if row.request.grammar is not None and grammar is None:
            return False
        row.shape = shape(row.request, grammar)
        return True
