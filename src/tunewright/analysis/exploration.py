"""A table explored as a whole: what one report tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunewright.suggestions import Value

if TYPE_CHECKING:
    from tunewright.analysis.anomalies import Anomalies
    from tunewright.analysis.classification import Classification
    from tunewright.analysis.clusters import Clusters
    from tunewright.analysis.diversity import Diversity
    from tunewright.analysis.hit_rates import HitRates
    from tunewright.analysis.maps import Map
    from tunewright.analysis.regression import Regression


@dataclass(frozen=True)
class About:
    """Which table, and how its vectors were made: what a reader needs to make the report again.

    options: what was said of how the table is read and embedded, which every command needs again.
    left_out: (line, reason) of rows that are not in it. notes: what a reader must know of the
    data, such as tokens that the model does not know, a sentence each.
    """

    table: str
    table_sha256: str
    columns: tuple[str, ...]
    model: str
    fingerprint: str
    dimensions: int
    command: str
    version: str
    seed: int = 0
    options: tuple[tuple[str, Value], ...] = ()
    left_out: tuple[tuple[int, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exploration:
    """`lines`, `texts`: of each row, in order; all places in the parts are places in these.

    labels, numbers: columns by which rows can be coloured, in the order of the rows. A part is None
    where the table has no column for it or too few rows, which `absent` says: (part, reason).
    """

    about: About
    lines: tuple[int, ...]
    texts: tuple[str, ...]
    labels: tuple[tuple[str, tuple[str | None, ...]], ...] = ()
    numbers: tuple[tuple[str, tuple[float | None, ...]], ...] = ()
    map: Map | None = None
    clusters: Clusters | None = None
    anomalies: Anomalies | None = None
    diversity: Diversity | None = None
    classification: Classification | None = None
    regression: Regression | None = None
    recommendations: HitRates | None = None
    absent: tuple[tuple[str, str], ...] = ()
