"""Two classifiers of vectors: logistic regression, and the labels of the nearest neighbours.

Each gives scores [n, c], whose softmax is the confidence in each class.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.folds import folds
from tunewright.analysis.nearest import nearest
from tunewright.analysis.neighbours import Vectors

Places = NDArray[np.int64]
Floats = NDArray[np.float64]
Method = Literal["logistic regression", "nearest neighbours"]
METHODS: tuple[str, ...] = get_args(Method)
_STRENGTHS = {
    # C of scikit-learn: the variance that a weight is expected to have, so it does not depend on
    # the number of rows. Food reviews are best at 0.01 to 0.03, subjects of textbooks at 0.03.
    "logistic regression": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "nearest neighbours": (31, 15, 7, 3),
}
_JUDGED_ON = 1500  # rows that a strength is chosen by; more change the choice by a step at most
_INNER = 3  # folds inside of a fold
_NEVER = -30.0  # score of a class that was not among the rows to learn from: e^-30
_STEPS = 500
# What scikit-learn says to the terminal of few rows of many classes, and of a classifier that was
# stopped: how good it is, is measured.
for _said in ("The number of unique classes is greater", "lbfgs failed to converge"):
    warnings.filterwarnings("ignore", _said, module="sklearn")


class Classifier(Protocol):
    def scores(self, vectors: Vectors) -> Floats:
        """[n, c]: their softmax is the confidence."""
        ...


@dataclass(frozen=True)
class Linear:
    """Scores are ``vectors @ weights.T + bias``: weights [c, d], bias [c]."""

    weights: Floats
    bias: Floats

    def scores(self, vectors: Vectors) -> Floats:
        return vectors.astype(np.float64) @ self.weights.T + self.bias


@dataclass(frozen=True)
class Neighbours:
    """The labels `of` [m] of the `k` nearest of `vectors` [m, d], each counted by how similar it
    is; `shares` [c] of the classes count as one neighbour more, so that no class is impossible."""

    vectors: Vectors
    of: Places
    shares: Floats
    k: int

    def scores(self, vectors: Vectors) -> Floats:
        ids, cosines = nearest(vectors, self.vectors, self.k)  # [n, k]
        weights = np.clip(cosines.astype(np.float64), 1e-6, None) ** 4
        votes = np.zeros((len(vectors), len(self.shares)))
        np.add.at(votes, (np.arange(len(vectors))[:, None], self.of[ids]), weights)
        voted = votes + self.shares * weights.sum(1, keepdims=True) / self.k
        return np.log(np.maximum(voted, 1e-13) / voted.sum(1, keepdims=True))


def fit(method: str, vectors: Vectors, of: Places, classes: int, strength: float) -> Classifier:
    """Of rows [m, d] whose classes `of` [m] are below `classes`."""
    if method == "nearest neighbours":
        shares = np.bincount(of, minlength=classes) / len(of)
        return Neighbours(vectors, of, shares, min(int(strength), len(of)))
    return _logistic(vectors, of, classes, strength)


def _logistic(vectors: Vectors, of: Places, classes: int, strength: float) -> Linear:
    """All columns are scaled by one number, so that the geometry of the vectors stays: food reviews
    have an area of 0.944 so, and 0.939 with each column scaled by itself."""
    from sklearn.linear_model import LogisticRegression

    weights = np.zeros((classes, vectors.shape[1]))
    bias = np.full(classes, _NEVER)
    there = np.unique(of)
    if len(there) == 1:
        bias[there] = 0
        return Linear(weights, bias)
    rows = vectors.astype(np.float64)
    centre = rows.mean(axis=0)
    rows -= centre
    scale = max(float(np.sqrt(np.mean(rows * rows))), 1e-12)
    rows /= scale
    found = LogisticRegression(C=strength, max_iter=_STEPS).fit(rows, of)
    inner, offset = found.coef_ / scale, found.intercept_  # [c, d], or [1, d] for two classes
    if len(there) == 2:
        inner, offset = np.vstack([-inner / 2, inner / 2]), np.hstack([-offset / 2, offset / 2])
    weights[there] = inner
    bias[there] = offset - inner @ centre
    return Linear(weights, bias)


def best_strength(
    method: str, vectors: Vectors, of: Places, groups: Places, classes: int, seed: int = 0
) -> float:
    """By the logarithmic loss of an inner cross-validation on at most `_JUDGED_ON` rows."""
    if len(of) > _JUDGED_ON:
        some = np.sort(np.random.default_rng(seed).permutation(len(of))[:_JUDGED_ON])
        vectors, of, groups = vectors[some], of[some], groups[some]
    groups = np.unique(groups, return_inverse=True)[1]
    if groups.max() == 0:  # one text: no strength can be told from another
        return _STRENGTHS[method][0]
    fold = folds(of, groups, _INNER, seed)
    losses: list[Floats] = []  # [m] of each strength
    for strength in _STRENGTHS[method]:
        scores = held_out(vectors, of, fold, _always(method, classes, strength))
        losses.append(losses_of(scores, of))
        if losses[-1].mean() > 1.1 * min(each.mean() for each in losses):
            break  # the loss has one valley, and weights that are hardly held take longest
    return _STRENGTHS[method][_simplest(losses)]


def _simplest(losses: Sequence[Floats]) -> int:
    """The first, most strongly regularised one whose loss is within one standard error of the best:
    by the best alone, food reviews' area is 0.003 less."""
    best = min(losses, key=lambda each: float(each.mean()))
    worse = [each - best for each in losses]
    return next(
        at for at, each in enumerate(worse) if each.mean() <= each.std() / np.sqrt(len(each))
    )


Learn = Callable[[Vectors, Places], Classifier]


def _always(method: str, classes: int, strength: float) -> Learn:
    return lambda vectors, of: fit(method, vectors, of, classes, strength)


def held_out(vectors: Vectors, of: Places, fold: Places, learn: Learn) -> Floats:
    """The scores [n, c] of each row, by a classifier that learned from the other folds."""
    parts: list[tuple[Places, Floats]] = []
    for number in np.unique(fold):
        test, train = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        if len(train):
            parts.append((test, learn(vectors[train], of[train]).scores(vectors[test])))
    return _merged(parts, len(of))


def _merged(parts: Sequence[tuple[Places, Floats]], rows: int) -> Floats:
    scores = np.zeros((rows, parts[0][1].shape[1]))
    for test, found in parts:
        scores[test] = found
    return scores


def softmax(scores: Floats) -> Floats:
    grown = np.exp(scores - scores.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)


def losses_of(scores: Floats, of: Places) -> Floats:
    """The logarithmic loss of each row [n]."""
    highest = scores.max(axis=1)
    total = highest + np.log(np.exp(scores - highest[:, None]).sum(axis=1))
    return total - scores[np.arange(len(of)), of]
