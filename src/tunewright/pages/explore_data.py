"""What the script of the explore report is given: places on the map, columns, clusters."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.clusters import Clusters
from tunewright.analysis.exploration import Exploration
from tunewright.analysis.intervals import Interval
from tunewright.analysis.maps import Map
from tunewright.pages.packing import packed

CENTRAL = 30  # rows of a cluster that its panel lists
_COLOURED = 23  # values of a column with a colour of their own; the others share one
_RANGE = 65_535  # positions are whole numbers from 0 to this


Column = dict[str, object]


def data(explored: Exploration, cut: int) -> dict[str, object]:
    """JSON. cut: the length at which the texts, which travel apart, were cut."""
    return {
        "rows": len(explored.texts),
        "lines": packed(np.array(explored.lines, np.int64)),
        "map": _map(explored.map),
        "clusters": _clusters(explored),
        "columns": _columns(explored),
        "cut": cut,
    }


def places(positions: NDArray[np.float64]) -> NDArray[np.int64]:
    """[n, 2] whole numbers from 0 to 65,535; both axes keep one scale. y grows upwards. What is
    taller than wide is turned by a right angle, since screens are wide."""
    wide, tall = np.ptp(positions, axis=0)
    if tall > wide:
        positions = positions[:, ::-1] * (1, -1)
    low, high = positions.min(axis=0), positions.max(axis=0)
    middle, reach = (low + high) / 2, float((high - low).max()) or 1.0
    return np.rint(((positions - middle) / reach + 0.5) * _RANGE).astype(np.int64)


def _map(found: Map | None) -> dict[str, object] | None:
    if found is None:
        return None
    at = places(np.asarray(found.positions, np.float64))
    return {"x": packed(at[:, 0]), "y": packed(at[:, 1])}


def _clusters(explored: Exploration) -> list[dict[str, object]]:
    if explored.clusters is None:
        return []
    return [
        {
            "name": cluster.name,
            "terms": list(cluster.terms),
            "rows": len(cluster.rows),
            "central": [int(row) for row in cluster.rows[:CENTRAL]],
            "stability": _interval(cluster.stability),
            "stable": bool(cluster.stable),
        }
        for cluster in explored.clusters.all
    ]


def _interval(found: Interval | None) -> list[float] | None:
    """[value, low, high]"""
    if found is None:
        return None
    return [round(float(value), 4) for value in (found.value, found.low, found.high)]


def _columns(explored: Exploration) -> list[Column]:
    columns: list[Column] = []
    if explored.clusters is not None:
        columns.append(_cluster_column(explored.clusters))
    columns += [_labels(name, values) for name, values in explored.labels]
    named = {name for name, _ in explored.labels}
    columns += [_numbers(name, some) for name, some in explored.numbers if name not in named]
    if explored.classification is not None:
        columns.append(_predicted(explored))
    if explored.anomalies is not None:
        columns.append(
            _numbers("anomaly score", [float(f"{s:.3g}") for s in explored.anomalies.scores])
        )
    if explored.diversity is not None and explored.diversity.duplicates:
        columns.append(_duplicates(len(explored.texts), explored.diversity.duplicates))
    return columns


def _cluster_column(clusters: Clusters) -> Column:
    of = np.asarray(clusters.of, np.int64)
    names = [cluster.name for cluster in clusters.all]
    numbers = {cluster.number: place for place, cluster in enumerate(clusters.all)}
    shown = np.array([numbers.get(int(number), len(names)) for number in of], np.int64)
    return {
        "kind": "cluster",
        "name": "cluster",
        "values": names,
        "none": "no cluster",
        "of": packed(shown),
    }


def _labels(name: str, values: Sequence[str | None], also: Sequence[str | None] = ()) -> Column:
    """Values with a colour come first: the most frequent in `also`, then the most frequent of its
    own, so that two columns of the same values have the same colours."""
    counts, own = Counter(also), Counter(value for value in values if value is not None)
    ranked = sorted(own, key=lambda value: (-counts[value], -own[value], value))
    place = {value: at for at, value in enumerate(ranked)}
    of = np.array([len(ranked) if v is None else place[v] for v in values], np.int64)
    return {
        "kind": "label",
        "name": name,
        "values": ranked,
        "none": "no value",
        "coloured": min(len(ranked), _COLOURED + (len(ranked) == _COLOURED + 1)),
        "of": packed(of),
    }


def _predicted(explored: Exploration) -> Column:
    """In the colours of the labels that were learned from."""
    found = explored.classification
    assert found is not None
    values = [found.labels[at] for at in found.predicted.tolist()]
    given = explored.labels[0][1] if explored.labels else ()
    return _labels("predicted label", values, given)


def _numbers(name: str, values: Sequence[float | None]) -> Column:
    """Exact, since rows are copied from the page: the distinct values in order, and the place of
    each row's among them. A row without a number has the place behind the last."""
    given = np.array([np.nan if value is None else value for value in values], np.float64)
    known = np.isfinite(given)
    distinct, of = np.unique(given[known], return_inverse=True)
    ranks = np.full(len(given), len(distinct), np.int64)
    ranks[known] = of
    return {
        "kind": "number",
        "name": name,
        "values": packed(distinct),
        "none": "no number",
        "of": packed(ranks),
    }


def _duplicates(rows: int, groups: Sequence[Sequence[int]]) -> Column:
    shared = {row for group in groups for row in group}
    values = ["yes" if row in shared else "no" for row in range(rows)]
    return _labels("near-duplicate", values)
