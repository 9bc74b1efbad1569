"""Searches of one moment are answered by one matrix product."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tunewright.vectors.filters import Filter
from tunewright.vectors.index import Floats, Hits

MOST = 256
"""Queries at once, beyond those of a single call: from there on a product gains nothing more."""

Answer = Callable[[Floats, int, Filter | None], Hits]


@dataclass(eq=False)
class _Search:
    queries: Floats  # [m, d]
    k: int
    leads: bool = False
    turn: threading.Event = field(default_factory=threading.Event)
    hits: Hits | None = None


class Together:
    """A search that comes while one with the same filter runs waits for it; then one of those that
    wait answers them all. One that comes alone is answered at once, in its own thread.

    answer: sees, when it is called, what each of its queries must see.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self._waiting: dict[Filter | None, list[_Search]] = {}  # while one with the filter runs

    def search(self, queries: Floats, k: int, where: Filter | None) -> Hits:
        mine = _Search(queries, k)
        with self._lock:
            mine.leads = where not in self._waiting
            self._waiting.setdefault(where, []).append(mine)
        if not mine.leads:
            mine.turn.wait()
        if mine.leads:
            self._lead(where)
        # None: those of a moment failed together. Each of them fails, or not, by itself.
        return self._answer(queries, k, where) if mine.hits is None else mine.hits

    def _lead(self, where: Filter | None) -> None:
        """Answer those that have waited longest, and let the next one lead."""
        with self._lock:
            taken = _first(self._waiting[where])
            del self._waiting[where][: len(taken)]
        try:
            self._answer_all(taken, where)
        except Exception:
            if len(taken) == 1:
                raise
        finally:
            with self._lock:
                if waiting := self._waiting[where]:
                    waiting[0].leads = True
                    waiting[0].turn.set()
                else:
                    del self._waiting[where]
            for search in taken:
                search.turn.set()

    def _answer_all(self, searches: Sequence[_Search], where: Filter | None) -> None:
        k = max(search.k for search in searches)
        queries = [search.queries for search in searches]
        hits = self._answer(queries[0] if len(queries) == 1 else np.concatenate(queries), k, where)
        start = 0
        for search in searches:
            end = start + len(search.queries)
            search.hits = Hits(
                [ids[: search.k] for ids in hits.ids[start:end]],
                hits.scores[start:end, : search.k],
                hits.distances[start:end, : search.k],
            )
            start = end


def _first(waiting: Sequence[_Search]) -> list[_Search]:
    """The first one, and as many behind it as go with it."""
    taken, queries = [waiting[0]], len(waiting[0].queries)
    for search in waiting[1:]:
        queries += len(search.queries)
        if queries > MOST:
            break
        taken.append(search)
    return taken
