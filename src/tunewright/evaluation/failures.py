"""Where a tuned model still fails, in clusters, and the training rows that lie nearest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.analysis.nearest import nearest
from tunewright.analysis.neighbours import Vectors
from tunewright.analysis.topics import topics
from tunewright.quality.evidence import found, share
from tunewright.quality.rows import Rows
from tunewright.quality.words import plain, same, words
from tunewright.records.findings import Finding

_SHORT = 6  # words up to which an answer has to be the expected one
_ALIKE = 0.8  # cosine from which on a longer answer counts as the expected one
_FAR = 0.6  # cosine below which training has nothing like it
_CLUSTERS = 8
_NEAREST = 5


@dataclass(frozen=True)
class Cluster:
    """Places of failed rows, the one most in the middle first; places of the training rows nearest
    to them, and how near these are (mean cosine)."""

    failed: list[int]
    near: list[int]
    nearness: float


def find(expected: Rows, answers: Sequence[str], given: Vectors, training: Rows) -> list[Finding]:
    """`answers` and their unit vectors `given` [n, d] are a model's, to the rows of `expected`.

    The lines of a finding are of the training file. Raises ValueError where the numbers differ.
    """
    if not len(expected) == len(answers) == len(given):
        raise ValueError(f"{len(expected)} rows, {len(answers)} answers, {len(given)} vectors.")
    return list(told(expected, fails(expected, answers, given), training))


def fails(expected: Rows, answers: Sequence[str], given: Vectors) -> list[int]:
    """Places of the answers that are not the expected ones."""
    alike = np.einsum("ij,ij->i", expected.answered, given)
    return [
        at
        for at, (row, answer) in enumerate(zip(expected.rows, answers, strict=True))
        if not _fits(row.answer, answer, float(alike[at]))
    ]


def _fits(expected: str, answer: str, alike: float) -> bool:
    if plain(expected) == plain(answer) or same(expected, answer, every=10):
        return True
    return len(words(expected)) > _SHORT and alike >= _ALIKE


def clusters(failed: Vectors, training: Vectors) -> list[Cluster]:
    """Of what was asked, unit vectors; the largest first. `failed` counts from 0 within itself."""
    if not len(failed):
        return []
    grouped = topics(failed, _CLUSTERS)
    made = [
        _cluster(np.flatnonzero(grouped.of == number), grouped.centres[number], failed, training)
        for number in np.unique(grouped.of)
    ]
    return sorted(made, key=lambda cluster: -len(cluster.failed))


def _cluster(
    members: NDArray[np.intp], centre: Vectors, failed: Vectors, training: Vectors
) -> Cluster:
    central = members[np.argsort(-(failed[members] @ centre), kind="stable")]
    ids, scores = nearest(failed[central], training, _NEAREST)
    counts = dict.fromkeys(ids.ravel().tolist(), 0.0)
    for place, score in zip(ids.ravel().tolist(), scores.ravel().tolist(), strict=True):
        counts[place] += score
    near = sorted(counts, key=lambda place: -counts[place])[:_NEAREST]
    best = float(scores[:, 0].mean()) if scores.size else 0.0
    return Cluster(central.tolist(), near, best)


def told(expected: Rows, failed: Sequence[int], training: Rows) -> Iterator[Finding]:
    """One for each cluster of `failed`, the places in `expected` that `fails` gave. The lines are
    of the training file."""
    for cluster in clusters(expected.asked[failed], training.asked):
        rows = [expected.rows[failed[at]] for at in cluster.failed]
        far = cluster.nearness < _FAR
        yield found(
            "failures",
            f"{share(len(rows), len(expected))} of the validation file fail together, around its "
            f"line {rows[0].line}; the most similar training rows have a similarity of "
            f"{cluster.nearness:.2f} (1: the same).",
            "The training file has hardly anything like it: add such rows."
            if far
            else "Look at these training rows: are they right, and do they agree with each other?",
            [training.rows[at].line for at in cluster.near],
            severity="warning",
            excerpt=rows[0].asked,
        )
