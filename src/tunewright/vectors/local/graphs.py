"""faiss (the extra ``faiss``): int8 rows scanned by its product, and a graph (HNSW) over them.

The graph keeps no vectors of its own but the int8 rows: a step of the search reads 6 lines of the
processor's cache instead of 24, and what it finds is compared in float64 by whoever asked. Rows lie
in the order in which the graph took them in: `order`.
"""

from collections.abc import Callable
from typing import Any

import faiss as typed
import numpy as np
from numpy.typing import NDArray

from tunewright.vectors.index import Floats, Metric
from tunewright.vectors.local.accelerator import Stopped
from tunewright.vectors.local.scans import Codes, Places

faiss: Any = typed  # its types say less than its methods take
LINKS = 16  # of a row, and twice as many at the lowest level
_WIDTH_OF_BUILDING = 200  # of 100 a search has to be half as wide again for the same recall
_CHUNK = 1024  # rows: after each, whoever builds may be asked to stop
_ZERO = 128  # faiss keeps -128 as 0
_TYPE = faiss.ScalarQuantizer.QT_8bit_direct_signed


class Flat:
    """Rows as faiss scans them. index: an IndexScalarQuantizer."""

    def __init__(self, index: Any, order: Places | None = None) -> None:
        self._index = index
        self._order = order
        self._inverse = None if order is None else np.argsort(order)

    def best(self, queries: Floats, count: int) -> tuple[NDArray[Any], Floats]:
        one_thread()
        near, rows = self._index.search(queries, min(count, self._index.ntotal))
        return _named(rows, self._order), _more_is_nearer(self._index, near)

    def some(self, rows: Places) -> "Flat":
        copy = faiss.IndexScalarQuantizer(self._index.d, _TYPE, self._index.metric_type)
        copy.add_sa_codes(self._bytes(rows))
        return Flat(copy)

    def codes(self, rows: Places) -> Codes:
        """int8 of some rows [some, D]."""
        return (self._bytes(rows) ^ _ZERO).view(np.int8)

    def _bytes(self, rows: Places) -> NDArray[np.uint8]:
        size = self._index.ntotal * self._index.d
        there = faiss.rev_swig_ptr(self._index.codes.data(), size).reshape(-1, self._index.d)
        return there[rows if self._inverse is None else self._inverse[rows]]


def flat(codes: Codes, metric: Metric) -> Flat:
    index = faiss.IndexScalarQuantizer(codes.shape[1], _TYPE, _metric(metric))
    index.add_sa_codes(codes.view(np.uint8) ^ _ZERO)
    return Flat(index)


class Graph:
    """order: the row that was taken in first, second ..."""

    def __init__(self, index: Any, order: Places, rows: Any = None) -> None:
        self._index, self.order = index, order
        self.rows = Flat(rows or faiss.downcast_index(index.storage), order)

    def best(self, queries: Floats, count: int, width: int) -> tuple[Places, Floats]:
        """As `Scanned.best`, by a search that keeps `width` rows in sight."""
        one_thread()
        wide = faiss.SearchParametersHNSW(efSearch=max(width, count))
        near, rows = self._index.search(queries, min(count, self._index.ntotal), params=wide)
        return _named(rows, self.order), _more_is_nearer(self._index, near)

    def add(self, codes: Codes) -> None:
        """The next rows of `order`."""
        one_thread()
        self._index.add(codes.astype(np.float32))

    def links(self) -> Any:
        """uint8: the graph alone, none of its rows."""
        return faiss.serialize_index(self._index, faiss.IO_FLAG_SKIP_STORAGE)


def built(
    codes: Callable[[Places], Codes],
    metric: Metric,
    order: Places,
    count: int,
    stop: Callable[[], bool],
) -> Graph:
    """Of the first `count` rows of `order`. codes: int8 of some rows [some, D]. Raises Stopped."""
    index = faiss.IndexHNSWSQ(codes(order[:0]).shape[1], _TYPE, LINKS, _metric(metric))
    index.hnsw.efConstruction = _WIDTH_OF_BUILDING
    graph = Graph(index, order)
    for start in range(0, count, _CHUNK):
        if stop():
            raise Stopped
        graph.add(codes(order[start : min(start + _CHUNK, count)]))
    return graph


def opened(links: NDArray[np.uint8], codes: Codes, metric: Metric, order: Places) -> Graph:
    """Of what `Graph.links` gave, with its rows [n, D]. Raises RuntimeError for another thing."""
    index = faiss.deserialize_index(links.copy())
    if index.ntotal != len(order) or index.d != codes.shape[1]:
        raise RuntimeError("a graph of other rows")
    rows = faiss.IndexScalarQuantizer(codes.shape[1], _TYPE, _metric(metric))
    for start in range(0, len(order), _CHUNK):
        rows.add_sa_codes(codes[order[start : start + _CHUNK]].view(np.uint8) ^ _ZERO)
    index.storage = rows
    return Graph(index, order, rows)


def one_thread() -> None:
    """Of this thread: a search has one core, and as many searches run as there are callers."""
    faiss.omp_set_num_threads(1)


def _metric(metric: Metric) -> int:
    return faiss.METRIC_L2 if metric == "euclidean" else faiss.METRIC_INNER_PRODUCT


def _more_is_nearer(index: Any, near: Floats) -> Floats:
    return -near if index.metric_type == faiss.METRIC_L2 else near


def _named(found: Places, order: Places | None) -> Places:
    return found if order is None else np.where(found < 0, -1, order[found])
