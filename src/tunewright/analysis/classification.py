"""Classes of rows by their vectors: how well they can be told apart, and what the others are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.classes import Classes, classes_of
from tunewright.analysis.classifiers import (
    Classifier,
    best_strength,
    fit,
    softmax,
)
from tunewright.analysis.confidence import Bin, calibrated, calibration, temperature
from tunewright.analysis.folds import alike, check, folds, number_of_folds
from tunewright.analysis.intervals import Interval, bootstrap
from tunewright.analysis.labels import Suspect, suspects
from tunewright.analysis.learning import Forecast, Point, curve, forecast
from tunewright.analysis.measures import area, confusion, macro_f1, mean_of
from tunewright.analysis.neighbours import Vectors

Places = NDArray[np.int64]
Floats = NDArray[np.float64]
_FORECAST = 4.0  # times as many labels as there are


@dataclass(frozen=True)
class OfClass:
    """One class: of the rows that are predicted as it, `precision` are it; of those that are it,
    `recall` are predicted as it."""

    label: str
    rows: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Classification:
    """How well labels follow from vectors, by cross-validation.

    `given` [n], `predicted` [n]: places in `labels`, given -1 where a row has no label. A row with
    a label is predicted by what learned from other folds, one without by what learned from all.
    `confidence` [n, c] is calibrated. `majority`: the accuracy of always saying the most frequent
    label. `confusion` [c, c]: given (row) by predicted (column). `auc`: of the last of two labels
    against the first; None for more. `rows`: with a label; `grouped`: how many of them are
    near-duplicates of another, all of which are in one fold. `model` and `temperature` are of the
    classifier that learned from all rows.
    """

    labels: tuple[str, ...]
    method: str
    rows: int
    grouped: int
    folds: int
    accuracy: Interval
    macro_f1: Interval
    auc: Interval | None
    majority: float
    confusion: Places
    given: Places
    predicted: Places
    confidence: Floats
    calibration: tuple[Bin, ...]
    learning: tuple[Point, ...]
    forecast: Forecast | None
    suspects: tuple[Suspect, ...]
    strength: float
    temperature: float
    model: Classifier
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[OfClass, ...]:
        return tuple(self._class(at) for at in range(len(self.labels)))

    def _class(self, at: int) -> OfClass:
        right, given = int(self.confusion[at, at]), int(self.confusion[at].sum())
        predicted = int(self.confusion[:, at].sum())
        precision, recall = right / max(predicted, 1), right / max(given, 1)
        both = 2 * right / max(given + predicted, 1)
        return OfClass(self.labels[at], given, precision, recall, both)


def classify(
    vectors: Vectors,
    labels: Sequence[str | None] | Classes,
    *,
    method: str = "logistic regression",
    column: str = "label",
    seed: int = 0,
    progress: Callable[[float], None] = lambda _: None,
) -> Classification:
    """vectors [n, d] of length 1; labels [n], None for a row without one; column: what messages
    call them; method: one of `classifiers.METHODS`.

    How strongly a classifier is regularised is chosen inside of each fold. Near-duplicates are in
    one fold. Raises ValueError for NaN, and for labels that are no classes (see `classes_of`).
    """
    check(vectors, len(labels.of) if isinstance(labels, Classes) else len(labels))
    classes = labels if isinstance(labels, Classes) else classes_of(labels, column)
    return _Classifying(vectors, classes, method, seed, progress).result()


def _copies(classes: Classes, of: Places, groups: Places) -> tuple[str, ...]:
    """Of which classes all rows are copies of one another. Raises ValueError where fewer than two
    others remain."""
    names = [
        name
        for number, name in enumerate(classes.names)
        if len(np.unique(groups[of == number])) == 1
    ]
    if len(names) > len(classes.names) - 2:
        raise ValueError(
            f"All rows with the label '{names[0]}' are near-duplicates of one another: there is no "
            "other text to judge a classifier by. Label rows with other texts."
        )
    return tuple(
        f"All rows of '{name}' are near-duplicates of one another: they are in one fold, so that "
        "none of them can be predicted from the others."
        for name in names
    )


class _Classifying:
    """The steps of one classification, over the m rows with a label."""

    def __init__(
        self,
        vectors: Vectors,
        classes: Classes,
        method: str,
        seed: int,
        progress: Callable[[float], None],
    ) -> None:
        self._all = vectors
        self._classes = classes
        self._count = len(classes.names)
        self._method = method
        self._seed = seed
        self._progress = progress
        self._rows = np.flatnonzero(classes.of >= 0)  # [m]
        self._vectors = vectors[self._rows]
        self._of = classes.of[self._rows]
        self._groups = alike(self._vectors)
        self._copies = _copies(classes, self._of, self._groups)
        self._fold = folds(self._of, self._groups, number_of_folds(self._of, self._groups), seed)

    def result(self) -> Classification:
        names, of = self._classes.names, self._of
        scores = self._held_out()
        self._progress(0.4)
        confidence = calibrated(scores, of, self._fold)
        predicted = confidence.argmax(axis=1)
        right = predicted == of
        strength = self._strength(self._vectors, of, self._groups)
        model = fit(self._method, self._vectors, of, self._count, strength)
        warmth = temperature(scores, of)
        every = softmax(model.scores(self._all) / warmth)  # [n, c]
        every[self._rows] = confidence
        self._progress(0.5)
        points, later = self._learning(right, strength)
        counts = np.bincount(of, minlength=self._count)
        return Classification(
            labels=names,
            method=self._method,
            rows=len(of),
            grouped=len(of) - len(np.unique(self._groups)),
            folds=len(np.unique(self._fold)),
            accuracy=self._interval(mean_of(right)),
            macro_f1=self._interval(macro_f1(of, predicted, self._count)),
            auc=self._auc(confidence),
            majority=float(counts.max() / len(of)),
            confusion=confusion(of, predicted, self._count),
            given=self._classes.of,
            predicted=every.argmax(axis=1),
            confidence=every,
            calibration=calibration(confidence.max(axis=1), right),
            learning=points,
            forecast=later,
            suspects=suspects(confidence, of, names, self._rows),
            strength=strength,
            temperature=warmth,
            model=model,
            notes=(*self._classes.notes, *self._copies),
        )

    def _strength(self, vectors: Vectors, of: Places, groups: Places) -> float:
        return best_strength(self._method, vectors, of, groups, self._count, self._seed)

    def _held_out(self) -> Floats:
        """Scores [m, c]: each fold's by what learned, and was regularised, on the others."""
        scores = np.zeros((len(self._of), self._count))
        tests = np.unique(self._fold)
        for turn, number in enumerate(tests):
            test, train = self._fold == number, self._fold != number
            vectors, of = self._vectors[train], self._of[train]
            strength = self._strength(vectors, of, self._groups[train])
            learned = fit(self._method, vectors, of, self._count, strength)
            scores[test] = learned.scores(self._vectors[test])
            self._progress(0.4 * (turn + 1) / len(tests))
        return scores

    def _learning(
        self, right: NDArray[np.bool_], strength: float
    ) -> tuple[tuple[Point, ...], Forecast]:
        def learn(vectors: Vectors, of: Places) -> Classifier:
            return fit(self._method, vectors, of, self._count, strength)

        found = curve(
            self._vectors,
            self._of,
            self._fold,
            right,
            learn,
            seed=self._seed,
            progress=lambda share: self._progress(0.5 + share / 2),
        )
        groups = self._drawn_together
        points = found.points(groups, self._seed)
        return points, forecast(found, _FORECAST, groups, seed=self._seed)

    def _auc(self, confidence: Floats) -> Interval | None:
        if self._count > 2:
            return None
        return self._interval(area(self._of == 1, confidence[:, 1], self._fold))

    def _interval(self, statistic: Callable[[Places], float]) -> Interval:
        groups = self._drawn_together
        return bootstrap(statistic, len(self._of), seed=self._seed, groups=groups)

    @property
    def _drawn_together(self) -> Places | None:
        """The groups of near-duplicates, where there are any."""
        return self._groups if self._groups.max() + 1 < len(self._groups) else None
