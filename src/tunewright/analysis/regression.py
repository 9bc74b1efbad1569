"""A number of each row by its vector: how well it follows, and what the others have."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.classifiers import Linear
from tunewright.analysis.folds import FOLDS, alike, check, folds
from tunewright.analysis.intervals import Interval, bootstrap
from tunewright.analysis.measures import mean_of
from tunewright.analysis.neighbours import Vectors
from tunewright.wording import counted

Places = NDArray[np.int64]
Floats = NDArray[np.float64]
FEWEST = 10  # rows with a number
_STRENGTHS = tuple(10.0**power for power in np.arange(0, 5.1, 0.5))


@dataclass(frozen=True)
class Regression:
    """How well a number follows from vectors, by cross-validation.

    `given` [n]: NaN where a row has no number; `predicted` [n]: of a row with a number by what
    learned from other folds, of one without by what learned from all. `r2`: the share of the
    variance that is explained; 0 is what the mean alone gives, and below 0 is worse. `mae`: the
    mean error, in the number's unit; `baseline_mae`: of always saying the mean of the other folds.
    `rows`: with a number; `grouped`: how many of them are near-duplicates of another, all of which
    are in one fold. `strength`: of the ridge; `model` learned from all rows.
    """

    rows: int
    grouped: int
    folds: int
    r2: Interval
    mae: Interval
    baseline_mae: float
    given: Floats
    predicted: Floats
    strength: float
    model: Linear
    notes: tuple[str, ...] = ()


def regress(
    vectors: Vectors,
    numbers: Floats,
    *,
    column: str = "number",
    seed: int = 0,
    progress: Callable[[float], None] = lambda _: None,
) -> Regression:
    """vectors [n, d] of length 1; numbers [n], NaN for none; column: what messages call them.

    Ridge regression, whose strength is chosen inside of each fold. Raises ValueError for NaN in a
    vector, for fewer than `FEWEST` numbers, and where all numbers are one.
    """
    check(vectors, len(numbers))
    rows = np.flatnonzero(np.isfinite(numbers))  # [m]
    of = numbers[rows].astype(np.float64)
    _refuse(of, column)
    groups = alike(vectors[rows])
    if groups.max() + 1 < FEWEST:
        texts = counted(int(groups.max()) + 1, "different text")
        raise ValueError(
            f"The {len(rows):,} rows with a number in '{column}' are {texts}: at least {FEWEST} "
            "are needed. The others are near-duplicates of them."
        )
    fold = folds(np.zeros(len(rows), np.int64), groups, FOLDS, seed)
    found, means = _held_out(vectors[rows], of, fold, progress)
    model, strength = _ridge(vectors[rows], of)
    predicted = model.scores(vectors)[:, 0]
    predicted[rows] = found
    progress(1.0)
    together = groups if groups.max() + 1 < len(groups) else None
    errors = np.abs(of - found)
    missing = len(numbers) - len(rows)
    return Regression(
        rows=len(rows),
        grouped=len(rows) - int(groups.max()) - 1,
        folds=int(fold.max()) + 1,
        r2=bootstrap(_explained(of, found), len(of), seed=seed, groups=together),
        mae=bootstrap(mean_of(errors), len(of), seed=seed, groups=together),
        baseline_mae=float(np.abs(of - means).mean()),
        given=numbers.astype(np.float64),
        predicted=predicted,
        strength=strength,
        model=model,
        notes=_notes(missing),
    )


def _refuse(of: Floats, column: str) -> None:
    if len(of) < FEWEST:
        raise ValueError(
            f"The column '{column}' has a number in {counted(len(of), 'row')}: at least {FEWEST} "
            "are needed to predict it."
        )
    if of.min() == of.max():
        raise ValueError(
            f"The column '{column}' has the number {of[0]:g} in each of {counted(len(of), 'row')}: "
            "there is nothing to predict."
        )


def _notes(missing: int) -> tuple[str, ...]:
    if not missing:
        return ()
    return (f"{counted(missing, 'row')} without a number: predicted, not learned from.",)


def _held_out(
    vectors: Vectors, of: Floats, fold: Places, progress: Callable[[float], None]
) -> tuple[Floats, Floats]:
    """What the other folds predict of each row, and their mean: both [m]."""
    found, means = np.zeros(len(of)), np.zeros(len(of))
    tests = np.unique(fold)
    for turn, number in enumerate(tests):
        test, train = fold == number, fold != number
        model, _ = _ridge(vectors[train], of[train])
        found[test] = model.scores(vectors[test])[:, 0]
        means[test] = of[train].mean()
        progress((turn + 1) / (len(tests) + 1))
    return found, means


def _ridge(vectors: Vectors, of: Floats) -> tuple[Linear, float]:
    """The strength that is best by leaving out each row in turn, which a ridge tells without
    learning anew."""
    from sklearn.linear_model import RidgeCV

    rows = vectors.astype(np.float64)
    centre = rows.mean(axis=0)
    rows -= centre
    scale = max(float(np.sqrt(np.mean(rows * rows))), 1e-12)
    rows /= scale
    found: Any = RidgeCV(alphas=_STRENGTHS).fit(rows, of)
    weights = np.atleast_2d(found.coef_) / scale  # [1, d]
    bias = np.atleast_1d(found.intercept_) - weights @ centre
    return Linear(weights, bias), float(found.alpha_)


def _explained(of: Floats, found: Floats) -> Callable[[Places], float]:
    def statistic(rows: Places) -> float:
        some = of[rows]
        spread = float(((some - some.mean()) ** 2).sum())
        return 1 - float(((some - found[rows]) ** 2).sum()) / spread if spread else float("nan")

    return statistic
