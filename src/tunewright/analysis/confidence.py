"""Confidence that keeps its word: of the rows that get 0.8, four in five should be right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.classifiers import losses_of, softmax

Places = NDArray[np.int64]
Floats = NDArray[np.float64]
_COOLEST, _HOTTEST = 0.2, 5.0
_BINS = 10


@dataclass(frozen=True)
class Bin:
    """Rows whose confidence lies from `low` to `high`: its mean, the share that is right, and how
    many they are."""

    low: float
    high: float
    confidence: float
    right: float
    count: int


def temperature(scores: Floats, of: Places) -> float:
    """What scores [n, c] are divided by so that their confidence fits the classes `of` best
    (temperature scaling: https://arxiv.org/abs/1706.04599)."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log: losses_of(scores / np.exp(log), of).mean(),
        bounds=(np.log(_COOLEST), np.log(_HOTTEST)),
        method="bounded",
    )
    return float(np.exp(found.x))


def calibrated(scores: Floats, of: Places, fold: Places) -> Floats:
    """The confidence [n, c] of each row, by the temperature of the other folds."""
    confidence = np.zeros_like(scores)
    for number in np.unique(fold):
        test, others = fold == number, fold != number
        confidence[test] = softmax(scores[test] / temperature(scores[others], of[others]))
    return confidence


def calibration(confidence: Floats, right: NDArray[np.bool_]) -> tuple[Bin, ...]:
    """Of the confidence [n] in what was predicted: bins with as many rows each as can be, the least
    confident first."""
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(_BINS, max(1, len(order) // _BINS)))
    return tuple(
        Bin(
            float(confidence[part[0]]),
            float(confidence[part[-1]]),
            float(confidence[part].mean()),
            float(right[part].mean()),
            len(part),
        )
        for part in parts
    )
