"""How many labels are enough: the learning curve, and how it goes on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.classifiers import Learn
from tunewright.analysis.intervals import Interval, bootstrap
from tunewright.analysis.measures import mean_of
from tunewright.analysis.neighbours import Vectors

Places = NDArray[np.int64]
Floats = NDArray[np.float64]
_FIRST = 20  # rows of the first point, or, where there are many classes,
_OF_A_CLASS = 4  # of each
_REPEATED = 5  # draws of a point's rows, up to so many rows in all:
_SMALL = 4000
_EXPONENTS = np.linspace(0.1, 1.2, 12)  # error falls as a power of the rows; food reviews': 0.15
_NOISE = 0.005  # of a point's error, beside what the draws differ by
_POINTS = 3  # that a forecast takes at least
_UNKNOWN = 0.2  # length of an interval that is no answer any more
_WORTH = 0.01  # of accuracy: what more labels must bring


@dataclass(frozen=True)
class Point:
    """`score`: the accuracy of a classifier that learned from `rows` rows, on rows it has not
    seen."""

    rows: int
    score: Interval


@dataclass(frozen=True)
class Forecast:
    """What `rows` labelled rows, `times` as many as there are, are expected to bring: the accuracy
    `score`, which is `gain` more than now. None of both where the curve cannot tell. `sentence`
    says it in words."""

    rows: int
    times: float
    score: Interval | None
    gain: Interval | None
    sentence: str


@dataclass(frozen=True)
class Curve:
    """`sizes` [p]; `right` [p, r, n]: whether each of n rows was predicted rightly by what learned
    from so many other rows, in each of r draws of them."""

    sizes: Places
    right: NDArray[np.bool_]

    def points(self, groups: Places | None = None, seed: int = 0) -> tuple[Point, ...]:
        means = self.right.mean(axis=1)  # [p, n]
        return tuple(
            Point(
                int(size), bootstrap(mean_of(mean), len(mean), seed=seed, groups=groups, rounds=400)
            )
            for size, mean in zip(self.sizes, means, strict=True)
        )


def curve(
    vectors: Vectors,
    of: Places,
    fold: Places,
    whole: NDArray[np.bool_],
    learn: Learn,
    *,
    seed: int = 0,
    progress: Callable[[float], None] = lambda _: None,
) -> Curve:
    """whole [n]: whether each row was predicted rightly from all rows of the other folds, the last
    point, which is not computed again. learn: how, from rows [m, d] and their classes [m]."""
    top = int(min(np.count_nonzero(fold != number) for number in np.unique(fold)))
    first = max(_FIRST, _OF_A_CLASS * len(np.unique(of)))
    sizes = _sizes(first, top)
    draws = _REPEATED if len(of) <= _SMALL else 1
    right = np.zeros((len(sizes) + 1, draws, len(of)), np.bool_)
    right[-1] = whole
    random = np.random.default_rng(seed)
    tests = np.unique(fold)
    for turn, number in enumerate(tests):
        test, train = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        for draw in range(draws):
            order = random.permutation(train)
            for at, size in enumerate(sizes):
                found = learn(vectors[order[:size]], of[order[:size]]).scores(vectors[test])
                right[at, draw, test] = found.argmax(axis=1) == of[test]
            progress((turn + (draw + 1) / draws) / len(tests))
    return Curve(np.array([*sizes, top], np.int64), right)


def _sizes(first: int, top: int) -> list[int]:
    """20, 40, 80 ... below `top`."""
    sizes = [first]
    while sizes[-1] * 3 <= top * 2:
        sizes.append(sizes[-1] * 2)
    return [size for size in sizes if size * 4 <= top * 3]


def forecast(
    found: Curve, times: float, groups: Places | None = None, *, seed: int = 0
) -> Forecast:
    """The accuracy with `times` as many rows, by a power law through the points.

    The interval holds what is not known: which rows are there (bootstrap), which were drawn to
    learn from (a draw of each point at random) and how the curve goes on (an exponent at random, by
    how well it fits).
    """
    rows = round(found.right.shape[2] * times)
    most = round(int(found.sizes[-1]) * times)
    if len(found.sizes) < _POINTS:
        said = "There are too few labelled rows to tell whether more labels would help."
        return Forecast(rows, times, None, None, said)
    score, gain = (
        bootstrap(
            _Extrapolating(found, most, seed, gained=gained),
            found.right.shape[2],
            seed=seed,
            groups=groups,
        )
        for gained in (False, True)
    )
    if score.high - score.low > _UNKNOWN:
        said = (
            f"The curve cannot tell whether more labels would help: with {times:g} times as many "
            f"({rows:,}), the accuracy could be anything from {score.low:.2f} to {score.high:.2f}."
        )
        return Forecast(rows, times, None, None, said)
    return Forecast(rows, times, score, gain, _said(rows, times, score, gain))


def _said(rows: int, times: float, score: Interval, gain: Interval) -> str:
    expected = (
        f"with {times:g} times as many labels ({rows:,}) an accuracy of {score.value:.3f} is "
        f"expected ({score.low:.3f} to {score.high:.3f}), {gain.value:+.3f} against now"
    )
    if gain.high < _WORTH:
        return f"More labels would help little: {expected}."
    if gain.low >= _WORTH:
        return f"More labels would help: {expected}."
    return f"More labels may help: {expected} ({gain.low:+.3f} to {gain.high:+.3f})."


class _Extrapolating:
    """The forecast from some of the rows; the first time, which a bootstrap asks for all rows, the
    mean over the draws and the exponents."""

    def __init__(self, found: Curve, most: int, seed: int, *, gained: bool) -> None:
        self._sizes = found.sizes.astype(np.float64)
        self._right = found.right
        self._most = most
        self._gained = gained
        self._random = np.random.default_rng(seed + 1)
        self._before = False
        drawn = found.right[:-1].mean(axis=2)  # [p - 1, r]
        self._noise = float(np.sqrt(drawn.var(axis=1).mean() + _NOISE**2))

    def __call__(self, rows: Places) -> float:
        points, draws, _ = self._right.shape
        if self._before:
            chosen = self._right[np.arange(points), self._random.integers(draws, size=points)]
            errors = 1 - chosen[:, rows].mean(axis=1)
        else:
            errors = 1 - self._right[:, :, rows].mean(axis=(1, 2))
        slopes, likely = power_laws(self._sizes, errors, self._noise)
        gains = slopes * (self._sizes[-1] ** -_EXPONENTS - self._most**-_EXPONENTS)  # [e]
        gain = float(self._random.choice(gains, p=likely) if self._before else likely @ gains)
        self._before = True
        return gain if self._gained else float(1 - errors[-1] + gain)


def power_laws(sizes: Floats, errors: Floats, noise: float) -> tuple[Floats, Floats]:
    """For each of `_EXPONENTS` [e]: b of the error a + b * size^-exponent that fits `errors` [p]
    best, with a and b at least 0; and how likely the exponent is, where an error is off by `noise`.
    """
    fallen = sizes ** -_EXPONENTS[:, None]  # [e, p]
    centred = fallen - fallen.mean(axis=1, keepdims=True)
    slopes = np.maximum(centred @ errors / (centred * centred).sum(axis=1), 0)
    levels = errors.mean() - slopes * fallen.mean(axis=1)
    through = fallen @ errors / (fallen * fallen).sum(axis=1)  # without a
    slopes = np.where(levels < 0, through, slopes)
    levels = np.maximum(levels, 0)
    off = errors - levels[:, None] - slopes[:, None] * fallen
    misfit = (off * off).sum(axis=1) / (2 * noise**2)
    likely = np.exp(misfit.min() - misfit)
    return slopes, likely / likely.sum()
