"""Close pairs, against the plain way of finding them."""

import numpy as np
import pytest

from tunewright.analysis import neighbours
from tunewright.analysis.neighbours import Vectors


def directions(rows: int, dimensions: int, spread: float = 1.0) -> Vectors:
    """Unit vectors around one direction: the smaller `spread`, the closer."""
    random = np.random.default_rng(3)
    vectors = random.normal(size=dimensions) + spread * random.normal(size=(rows, dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def plain(vectors: Vectors, least: float) -> set[tuple[int, int]]:
    """Pairs (earlier, later), the closest `MOST_CLOSE` of an earlier one."""
    scores = vectors @ vectors.T
    found: set[tuple[int, int]] = set()
    for one in range(len(vectors)):
        later = [at for at in range(one + 1, len(vectors)) if scores[one, at] >= least]
        best = sorted(later, key=lambda at: -scores[one, at])[: neighbours.MOST_CLOSE]
        found |= {(one, other) for other in best}
    return found


@pytest.mark.parametrize(
    "vectors",
    [directions(60, 4), directions(400, 200), directions(300, 80, 0.5)],
    ids=["as they are", "few, by the bound", "nearly all"],
)
def test_every_close_pair_is_found_once(monkeypatch: pytest.MonkeyPatch, vectors: Vectors) -> None:
    least = float(np.quantile(vectors @ vectors.T, 0.98 if vectors.shape[1] == 200 else 0.6))
    wanted = plain(vectors, least)
    monkeypatch.setattr(neighbours, "_BLOCK", 900)  # several blocks, of unequal sizes
    monkeypatch.setattr(neighbours, "_LOOKED_AT", 7)
    monkeypatch.setattr(neighbours, "_FEW", 0)
    found = list(neighbours.within(vectors, least).at_least(least))
    assert set(found) == wanted
    assert len(found) == len(wanted) > 100
    assert set(neighbours.within(vectors, least).at_least(2)) == set()


def test_pairs_of_two_files_and_how_many_crowd_a_query() -> None:
    vectors = directions(60, 4, 3.0)
    close = vectors[:20] @ vectors.T >= 0.9
    assert close.sum(axis=1).max() <= neighbours.MOST_CLOSE
    both = set(neighbours.between(vectors[:20], vectors, 0.9).at_least(0.9))
    assert both == set(zip(*map(np.ndarray.tolist, np.nonzero(close)), strict=True))
    assert neighbours.crowd(vectors[:20], vectors, 0.9).tolist() == close.sum(axis=1).tolist()
    nothing = np.zeros((0, 4), np.float32)
    assert list(neighbours.within(nothing, 0.9).at_least(0.9)) == []
    assert list(neighbours.between(vectors, nothing, 0.9).at_least(0.9)) == []
