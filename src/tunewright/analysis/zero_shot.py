"""Classes without any labelled row: each row gets the label whose text is most similar to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.classes import Classes
from tunewright.analysis.folds import check
from tunewright.analysis.intervals import Interval, bootstrap
from tunewright.analysis.measures import area, confusion, macro_f1, mean_of
from tunewright.analysis.neighbours import Vectors
from tunewright.wording import counted

Places = NDArray[np.int64]
# Food reviews by "bad, good": area 0.895 with all three, 0.804 with the first alone; subjects of
# textbooks: accuracy 0.778 and 0.780.
TEMPLATES = ("{}", "This text is about {}.", "An example of {}.")


@dataclass(frozen=True)
class Judged:
    """Against labels that rows do have: `rows` of them; `majority`: the accuracy of always saying
    the most frequent one. `auc`: of the last of two labels; None for more. `confusion` [c, c]:
    given (row) by predicted (column)."""

    rows: int
    accuracy: Interval
    macro_f1: Interval
    auc: Interval | None
    majority: float
    confusion: Places


@dataclass(frozen=True)
class ZeroShot:
    """`predicted` [n]: places in `labels`; `similarity` [n, c]: the cosine similarity to each
    label's text, which is no probability. `judged`: None where no row has a label."""

    labels: tuple[str, ...]
    predicted: Places
    similarity: Vectors
    judged: Judged | None
    notes: tuple[str, ...] = ()


def filled(texts: Sequence[str], templates: Sequence[str] = TEMPLATES) -> list[str]:
    """What is to be embedded for each label: its text in each template, [c * t]. Raises ValueError
    for a template without a place for the text."""
    for template in templates:
        if template.count("{}") != 1:
            raise ValueError(f"The template {template!r} needs one {{}}, where the label goes.")
    return [template.replace("{}", text) for text in texts for template in templates]


def zero_shot(
    vectors: Vectors,
    label_vectors: Vectors,
    labels: Sequence[str],
    given: Sequence[str | None] | None = None,
    *,
    seed: int = 0,
) -> ZeroShot:
    """vectors [n, d] and label_vectors [c * t, d] of length 1, of the texts that `filled` gives for
    the c labels; given [n]: what rows are labelled, to judge by: None for a row without a label.

    Raises ValueError for fewer than two labels, for one that is there twice, and for NaN.
    """
    names = tuple(labels)
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise ValueError("Give two labels or more, each once.")
    check(vectors, len(vectors))
    check(label_vectors, len(label_vectors))
    means = label_vectors.reshape(len(names), -1, vectors.shape[1]).mean(axis=1)  # [c, d]
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    similarity = vectors @ means.T
    predicted = similarity.argmax(axis=1).astype(np.int64)
    found = ZeroShot(names, predicted, similarity, None)
    return found if given is None else _judged(found, given, seed)


def _judged(found: ZeroShot, given: Sequence[str | None], seed: int) -> ZeroShot:
    classes, notes = _known(found.labels, given)
    rows = np.flatnonzero(classes.of >= 0)
    if not len(rows):
        return ZeroShot(found.labels, found.predicted, found.similarity, None, notes)
    of, predicted, count = classes.of[rows], found.predicted[rows], len(found.labels)
    similarity = found.similarity[rows].astype(np.float64)
    auc = None
    if count == 2:
        difference = similarity[:, 1] - similarity[:, 0]
        statistic = area(of == 1, difference, np.zeros(len(of), np.int64))
        auc = bootstrap(statistic, len(of), seed=seed)
    judged = Judged(
        rows=len(of),
        accuracy=bootstrap(mean_of(predicted == of), len(of), seed=seed),
        macro_f1=bootstrap(macro_f1(of, predicted, count), len(of), seed=seed),
        auc=auc,
        majority=float(np.bincount(of).max() / len(of)),
        confusion=confusion(of, predicted, count),
    )
    return ZeroShot(found.labels, found.predicted, found.similarity, judged, notes)


def _known(labels: tuple[str, ...], given: Sequence[str | None]) -> tuple[Classes, tuple[str, ...]]:
    number = {name: at for at, name in enumerate(labels)}
    of = np.array([-1 if one is None else number.get(one, -1) for one in given], np.int64)
    others = sorted({one for one in given if one is not None and one.strip()} - number.keys())
    if not others:
        return Classes(labels, of), ()
    named = ", ".join(f"'{one[:40]}'" for one in others[:5])
    rows = sum(one in set(others) for one in given)
    said = (
        "Not judged, for their label is none of those that were given: "
        f"{counted(rows, 'row')} ({named})."
    )
    return Classes(labels, of), (said,)
