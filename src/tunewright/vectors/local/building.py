"""An accelerator is made: rows become int8, a graph is built over them, and both are measured."""

import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tunewright.vectors.index import Floats, Metric
from tunewright.vectors.local import exact, scans
from tunewright.vectors.local.accelerator import Accelerator, Recall
from tunewright.vectors.local.plans import PROMISED, compared
from tunewright.vectors.local.scans import Codes, Places, Scale, Scanned
from tunewright.vectors.local.view import View

Stop = Callable[[], bool]

BLOCK = 4096  # rows at once
_ASKED = 1000  # rows left out of the graph, as queries: of 10,000 neighbours 0.993 is +- 0.002
_DEPTHS = (10, 20, 50, 100, 300)  # k for which the graph's width is found
_WIDEST = 2048
_LARGEST = 1e15  # beyond it float32 loses products
_TIMED = 3


def has_faiss() -> bool:
    return importlib.util.find_spec("faiss") is not None


def scanning(view: View, *, faiss: bool) -> Accelerator | None:
    """One that scans, of all rows of a view. None of rows that int8 cannot hold."""
    scale = _scale(view)
    if scale is None:
        return None
    codes, lost, longest = _codes(view, scale)
    rows = _scanned(codes, view.metric, faiss=faiss)
    alive = [
        np.arange(len(part)) if live is None else np.flatnonzero(live)
        for part, live in zip(view.parts, view.live, strict=True)
    ]
    parts = [*zip(view.parts, alive, strict=True)]
    return Accelerator(
        sequence=view.sequence,
        slots=np.concatenate([part.slots[rows] for part, rows in parts]),
        sets=[(part.codes[rows], part.columns) for part, rows in parts],
        scale=scale,
        components=codes.shape[1],
        lost=lost,
        longest=longest,
        rows=rows,
        scan_seconds=seconds_of_scan(rows, codes),
        product_seconds=seconds_of_product(view),
    )


def _scanned(codes: Codes, metric: Metric, *, faiss: bool) -> Scanned:
    if not faiss:
        return scans.Widened(codes, metric)
    from tunewright.vectors.local import graphs

    return graphs.flat(codes, metric)


def _blocks(view: View) -> Iterator[Floats]:
    """The vectors of all rows that are there."""
    for part, live in zip(view.parts, view.live, strict=True):
        for start in range(0, len(part), BLOCK):
            some = part.vectors[start : start + BLOCK]
            yield some if live is None else some[live[start : start + BLOCK]]


def _scale(view: View) -> Scale | None:
    """None where a component is too large."""
    centre = None
    if view.metric == "euclidean":
        total = np.zeros(view.dimensions)
        for block in _blocks(view):
            total += block.sum(axis=0, dtype=np.float64)
        centre = (total / len(view)).astype(np.float32)
    plain = Scale(view.metric, 1, centre)
    largest = max(float(np.abs(plain.prepared(block)).max(initial=0)) for block in _blocks(view))
    if not largest < _LARGEST:
        return None
    return Scale(view.metric, max(largest, 1 / _LARGEST) / scans.MOST, centre)


def _codes(view: View, scale: Scale) -> tuple[Codes, float, float]:
    """[n, D]; the most that a row lost; the longest row."""
    codes = np.empty((len(view), scans.width(view.dimensions)), np.int8)
    lost, longest, start = 0.0, 0.0, 0
    for block in _blocks(view):
        prepared = scale.prepared(block)
        some = codes[start : start + len(block)] = scale.codes(prepared)
        sized = sizes(scale, prepared, some)
        lost, longest = max(lost, sized[0]), max(longest, sized[1])
        start += len(block)
    return codes, lost, longest


def sizes(scale: Scale, prepared: Floats, codes: Codes) -> tuple[float, float]:
    """The most that a row lost; the longest row."""
    squares = np.square(codes.astype(np.float32)).sum(axis=1)
    longest = scale.step * float(np.sqrt(squares.max(initial=0)))
    return float(scale.lost(prepared, codes).max(initial=0)), longest


def seconds_of_scan(rows: Scanned, codes: Codes) -> float:
    """Of one row."""
    query = codes[:1].astype(np.float32)
    return _fastest(lambda: rows.best(query, 48)) / len(codes)


def seconds_of_product(view: View) -> float:
    """Of one row and query, among many queries."""
    rows = next(_blocks(view))
    queries = rows[:64]
    return _fastest(lambda: queries @ rows.T) / (len(queries) * len(rows) or 1)


def _fastest(do: Callable[[], object]) -> float:
    """Of the processor's time, for others may be at work."""
    found: list[float] = []
    for _ in range(_TIMED):
        started = time.thread_time()
        do()
        found.append(time.thread_time() - started)
    return min(found)


def with_graph(made: Accelerator, view: View, stop: Stop) -> Accelerator:
    """`made`, of the same view, with a graph where that finds what is promised. Raises Stopped.

    Rows are taken in by chance: topic by topic, as files bring them, the graph would be worse. Some
    are left out first, and ask for their neighbours, as a query that nobody has seen would.
    """
    from tunewright.vectors.local import graphs

    assert isinstance(made.rows, graphs.Flat)
    n = len(made)
    order = np.random.default_rng(0).permutation(n)
    asked = min(_ASKED, n // 4)
    outside = order[n - asked :]
    graph = graphs.built(made.rows.codes, view.metric, order, n - asked, stop)
    recalls = _Trial(made, view, graph, outside).recalls(stop)
    graph.add(made.rows.codes(outside))
    if not recalls:
        return made
    return replace(made, rows=graph.rows, graph=graph, recalls=recalls)


class _Trial:
    """A graph is asked for the neighbours of rows that were left out of it."""

    def __init__(self, made: Accelerator, view: View, graph: Any, outside: Places) -> None:
        self._graph = graph
        self._live = _alive(view)  # [n]: the place of each row
        queries = view.vectors(self._live[outside])
        self._asked = scans.asked(made.scale, queries)
        deepest = min(max(_DEPTHS), len(made) - len(outside))
        self._truth = _truth(view, queries, deepest, self._live[outside])  # [m, deepest]

    def recalls(self, stop: Stop) -> tuple[Recall, ...]:
        """For each k, as long as what is promised is found."""
        found: list[Recall] = []
        width = 16
        for k in _DEPTHS:
            if k > self._truth.shape[1] or stop():
                break
            recall = self._narrowest(k, max(width, k))
            if recall is None:
                break
            found.append(recall)
            width = recall.width
        return tuple(found)

    def _narrowest(self, k: int, width: int) -> Recall | None:
        """The narrowest search that finds what is promised; None where the widest does not."""
        tried = self._measured(k, width)
        while tried.mean - tried.within < PROMISED:
            if tried.width >= _WIDEST:
                return None
            tried = self._measured(k, min(int(tried.width * 1.15) + 1, _WIDEST))
        return tried

    def _measured(self, k: int, width: int) -> Recall:
        started = time.thread_time()
        rows, _ = self._graph.best(self._asked.whole, compared(k), width)
        seconds = (time.thread_time() - started) / len(rows)
        # All that is found is compared in float64 later: a nearest row among it will be found.
        pairs = zip(self._truth[:, :k], rows, strict=True)
        found = [np.isin(nearest, self._live[some[some >= 0]]).mean() for nearest, some in pairs]
        within = 1.96 * float(np.std(found)) / len(found) ** 0.5
        return Recall(k, width, float(np.mean(found)), within, seconds)


def _alive(view: View) -> Places:
    """Places of the rows that are there."""
    found = [
        start + (np.arange(len(part)) if live is None else np.flatnonzero(live))
        for part, live, start in zip(view.parts, view.live, view.starts, strict=False)
    ]
    return np.concatenate(found)


def _truth(view: View, queries: Floats, k: int, outside: Places) -> Places:
    """The k nearest places of each query [m, k], nearest first, without those outside."""
    shown = np.ones(view.starts[-1], np.bool_)
    shown[outside] = False
    masks = [
        shown[start : start + len(part)] & (True if live is None else live)
        for part, live, start in zip(view.parts, view.live, view.starts, strict=False)
    ]
    nearest = np.empty((len(queries), k), np.int64)
    for number, places in enumerate(exact.candidates(view, queries, k, masks)):
        distances = exact.away(view, queries[number], places)
        nearest[number] = places[np.argsort(distances, kind="stable")[:k]]
    return nearest
