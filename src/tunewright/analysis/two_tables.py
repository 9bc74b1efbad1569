"""Two tables of one embedding model: what of the one the other covers, which is more varied, and
whether they are the same at all."""

from dataclasses import dataclass

import numpy as np

from tunewright.analysis.diversity import check, distances_of_rows, vendi_score
from tunewright.analysis.duplicates import Groups, equal
from tunewright.analysis.intervals import Interval, bootstrap
from tunewright.analysis.knn import Places, Progress, Vectors, knn, nearest_of, quiet
from tunewright.analysis.topics import topics

_K = 5
_ROUNDS = 1000
_SAMPLE = 1_500  # rows of each table whose distances are held at once for the test: 36 MB
_MOST_HOLES = 10
_ROUNDING = 1e-5


@dataclass(frozen=True)
class Hole:
    """Rows of the reference that nothing covers, the most central first."""

    rows: tuple[int, ...]


@dataclass(frozen=True)
class Coverage:
    """share: of the reference's rows that are covered. expected: the share if both tables were
    drawn from the same texts. uncovered: the reference's other rows, the farthest first, with
    `distances` to their nearest row of the table; holes: the same in groups, the largest first."""

    share: Interval
    expected: float
    uncovered: tuple[int, ...]
    distances: tuple[float, ...]
    holes: tuple[Hole, ...]


def coverage(
    vectors: Vectors,
    reference: Vectors,
    *,
    k: int = _K,
    groups: Groups | None = None,
    seed: int = 0,
    progress: Progress = quiet,
) -> Coverage:
    """Which rows of `reference` [m, d] have a row of `vectors` [n, d] no farther than their own
    k-th nearest other row of the reference: near is what is near there, whatever the model's scale.

    groups: near-duplicates in the reference, which count once there. Naeem et al., "Reliable
    fidelity and diversity metrics for generative models" (2020), coverage.
    Raises ValueError for tables of unlike dimensions, no rows, NaN, or fewer than two distinct rows
    in the reference.
    """
    _comparable(vectors, reference)
    groups = groups or equal(reference)
    distinct = groups.first
    if len(distinct) < 2:
        raise ValueError("All rows of the reference are the same: nothing can be near or far.")
    radius = knn(reference[distinct], k, progress).distances[:, -1]  # [distinct]
    gap = nearest_of(reference[distinct], vectors, 1).distances[:, 0]  # [distinct]
    place = np.searchsorted(distinct, groups.of)  # [m]
    covered = (gap <= radius + _ROUNDING)[place]  # [m]
    share = bootstrap(
        lambda rows: float(covered[rows].mean()), len(reference), seed=seed, groups=groups.of
    )
    far = gap[place]  # [m]
    out = np.flatnonzero(~covered)
    out = out[np.lexsort((out, -far[out]))]
    expected = expected_coverage(len(vectors), len(distinct), k)
    return Coverage(
        share, expected, tuple(out.tolist()), tuple(far[out].tolist()), _holes(reference, out)
    )


def expected_coverage(rows: int, reference: int, k: int = _K) -> float:
    """The mean of the share covered when both tables are drawn from the same texts: the nearest of
    `rows` is beyond the k nearest of `reference` - 1 others if those k come first of all."""
    k = min(k, reference - 1)
    first = np.arange(k)
    return float(1 - np.prod((reference - 1 - first) / (rows + reference - 1 - first)))


def _holes(reference: Vectors, rows: Places) -> tuple[Hole, ...]:
    if not len(rows):
        return ()
    in_order = np.sort(rows)
    found = topics(reference[in_order], _MOST_HOLES)
    holes = list[Hole]()
    for number, centre in enumerate(found.centres):
        its = in_order[found.of == number]
        if len(its):
            order = np.lexsort((its, -(reference[its] @ centre)))
            holes.append(Hole(tuple(its[order].tolist())))
    return tuple(sorted(holes, key=lambda hole: (-len(hole.rows), hole.rows[0])))


@dataclass(frozen=True)
class Comparison:
    """more_diverse: the mean distance of two rows of the one less that of the other; the one is the
    more diverse where all of the interval is above 0. vendi: of both, from as many rows of each.
    apart: the energy coefficient, 0 for the same distribution, 1 for two points; p_value: how often
    rows dealt to two tables by chance come out as far apart. sample: rows of each that `vendi`,
    `apart` and `p_value` are of."""

    more_diverse: Interval
    vendi: tuple[float, float]
    apart: float
    p_value: float
    sample: tuple[int, int]

    @property
    def differ(self) -> bool:
        return self.p_value < 0.05


def comparison(
    one: Vectors, other: Vectors, *, seed: int = 0, progress: Progress = quiet
) -> Comparison:
    """Of unit vectors [n, d] and [m, d].

    The test is the energy distance (Szekely and Rizzo, 2004) with permutations: it needs no
    bandwidth as MMD does, no training as a classifier does, and is 0 for one distribution only.
    Raises ValueError for tables of unlike dimensions, fewer than two rows, or NaN.
    """
    _comparable(one, other)
    if min(len(one), len(other)) < 2:
        raise ValueError("A table with one row cannot be compared: name tables with more rows.")
    random = np.random.default_rng(seed)
    first, second = _sampled(one, _SAMPLE, random), _sampled(other, _SAMPLE, random)
    few = min(len(first), len(second))
    vendi = tuple(vendi_score(_sampled(each, few, random)) for each in (first, second))
    apart, p_value = energy(first, second, random, progress)
    return Comparison(
        _difference(one, other, seed),
        (vendi[0], vendi[1]),
        apart,
        p_value,
        (len(first), len(second)),
    )


def _difference(one: Vectors, other: Vectors, seed: int) -> Interval:
    """Each table's interval by bootstrap, then that of the difference (Zou and Donner, 2008)."""
    parts = [distances_of_rows(one), distances_of_rows(other)]
    values = [float(part.mean()) for part in parts]
    intervals = [
        bootstrap(
            lambda rows, part=part, value=value: value + 2 * (float(part[rows].mean()) - value),
            len(part),
            seed=seed + at,
        )
        for at, (part, value) in enumerate(zip(parts, values, strict=True))
    ]
    value = values[0] - values[1]
    low = np.hypot(values[0] - intervals[0].low, intervals[1].high - values[1])
    high = np.hypot(intervals[0].high - values[0], values[1] - intervals[1].low)
    return Interval(value, float(value - low), float(value + high))


def _sampled(vectors: Vectors, most: int, random: np.random.Generator) -> Vectors:
    if len(vectors) <= most:
        return vectors
    return vectors[np.sort(random.choice(len(vectors), most, replace=False))]


def energy(
    one: Vectors, other: Vectors, random: np.random.Generator, progress: Progress = quiet
) -> tuple[float, float]:
    """The energy coefficient of two samples, from 0 to 1, and the p-value by permutation.

    With Euclidean distances D [N, N] of all rows and the rows' shares w, positive in one sample and
    negative in the other, the energy distance is -w D w: a permutation is a product.
    """
    rows = np.concatenate([one, other]).astype(np.float64)  # [N, d]
    squares = np.einsum("ij,ij->i", rows, rows)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0))  # [N, N]
    np.fill_diagonal(distances, 0)
    shares = np.concatenate([np.full(len(one), 1 / len(one)), np.full(len(other), -1 / len(other))])
    between = float(distances[: len(one), len(one) :].mean())
    value = float(-shares @ distances @ shares)
    as_far = 0
    for start in range(0, _ROUNDS, 50):
        dealt = np.stack([random.permutation(shares) for _ in range(50)])  # [50, N]
        found = -np.einsum("ij,ij->i", dealt @ distances, dealt)
        as_far += int(np.count_nonzero(found >= value - 1e-12))
        progress((start + 50) / _ROUNDS)
    return max(0.0, value) / (2 * between) if between > 0 else 0.0, (1 + as_far) / (1 + _ROUNDS)


def _comparable(one: Vectors, other: Vectors) -> None:
    check(one)
    check(other)
    if one.shape[1] != other.shape[1]:
        raise ValueError(
            f"The vectors have {one.shape[1]} and {other.shape[1]} dimensions: they are of two "
            "models. Embed both tables with one."
        )
