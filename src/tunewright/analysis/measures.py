"""How right predictions are: figures of some of the rows, as a bootstrap asks for them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
Floats = NDArray[np.float64]
Statistic = Callable[[Places], float]


def confusion(given: Places, predicted: Places, classes: int) -> Places:
    """[c, c]: how often each given class (row) was predicted as each (column)."""
    cells = given * classes + predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def mean_of(values: NDArray[np.generic]) -> Statistic:
    floats = values.astype(np.float64)
    return lambda rows: float(floats[rows].mean())


def macro_f1(given: Places, predicted: Places, classes: int) -> Statistic:
    """The mean over the classes, be they large or small. A class that is neither given nor
    predicted among the rows does not count."""

    def of(rows: Places) -> float:
        found = confusion(given[rows], predicted[rows], classes)
        right, both = np.diag(found), found.sum(0) + found.sum(1)
        there = both > 0
        return float((2 * right[there] / both[there]).mean())

    return of


def area(positive: NDArray[np.bool_], scores: Floats, fold: Places) -> Statistic:
    """Under the ROC curve: how often a positive row has the higher score than a negative one, equal
    ones by half. Compared are rows of one fold only: two classifiers' scores need not lie on one
    scale. NaN where no fold has rows of both kinds."""
    ranks = np.unique(np.stack([fold.astype(np.float64), scores]), axis=1, return_inverse=True)[1]
    levels = int(ranks.max()) + 1
    of_level = np.zeros(levels, np.int64)
    of_level[ranks] = fold

    def of(rows: Places) -> float:
        some, their = positive[rows], ranks[rows]
        ups = np.bincount(their[some], minlength=levels)
        downs = np.bincount(their[~some], minlength=levels)
        lower = np.cumsum(downs) - downs
        first = np.searchsorted(of_level, of_level)  # where the fold's levels begin
        below = lower - lower[first]
        pairs = np.bincount(of_level, ups) @ np.bincount(of_level, downs)
        return float(ups @ (below + downs / 2) / pairs) if pairs else float("nan")

    return of
