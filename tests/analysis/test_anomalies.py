"""Rows that lie apart, among rows that do not."""

import warnings
from typing import Any

import numpy as np
import pytest

from tunewright.analysis import knn as module
from tunewright.analysis.anomalies import anomalies, local_outlier_factors
from tunewright.analysis.duplicates import Groups
from tunewright.analysis.knn import Vectors, knn


def around(centre: int, rows: int, spread: float, seed: int = 1, dimensions: int = 24) -> Vectors:
    """Unit vectors around an axis."""
    random = np.random.default_rng(seed)
    vectors = spread * random.normal(size=(rows, dimensions)) / np.sqrt(dimensions)
    vectors[:, centre] += 1
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def found(vectors: Vectors, **how: Any) -> list[int]:
    return [each.row for each in anomalies(vectors, **how).found]


@pytest.mark.parametrize("columns", [512, 4])
def test_the_nearest_others_of_every_row_in_several_blocks(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setattr(module, "_BLOCK", 700)
    monkeypatch.setattr(module, "_COLUMNS", columns)
    vectors = around(0, 90, 2.0)
    vectors[[50, 70]] = vectors[20]
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    wanted = np.argsort(-cosines.round(6), axis=1, kind="stable")[:, :3]
    heard: list[float] = []
    near = knn(vectors, 3, heard.append)
    assert near.ids[[20, 50, 70], :2].tolist() == [[50, 70], [20, 70], [20, 50]]
    others = np.setdiff1d(np.arange(90), np.flatnonzero((wanted == 20).any(axis=1)))
    others = np.setdiff1d(others, [20, 50, 70])
    np.testing.assert_allclose(
        1 - near.distances, np.take_along_axis(cosines, wanted, axis=1), atol=1e-5
    )
    assert (near.ids[others] == wanted[others]).mean() > 0.99  # a rounding may turn two about
    assert heard == sorted(heard)
    assert heard[-1] == 1
    assert knn(vectors[:3], 10).ids.shape == (3, 2)
    assert knn(vectors[:1], 10).ids.shape == (1, 0)


def test_the_rows_that_lie_apart_are_found_with_how_far_and_from_what() -> None:
    vectors = np.concatenate([around(0, 60, 0.4), around(7, 1, 0.1), around(3, 1, 0.1)])
    result = anomalies(vectors, share=2 / 62)
    assert sorted(each.row for each in result.found) == [60, 61]
    distances = 1 - np.sort(vectors[61] @ vectors[:61].T)[::-1][:10]
    last = next(each for each in result.found if each.row == 61)
    assert last.score == last.times_usual == pytest.approx(distances.mean() / result.usual)
    assert last.score > 4
    assert np.median(result.scores[:60]) == pytest.approx(1)
    normal = np.sort(vectors[:60] @ vectors.T)[:, -11:-1]
    assert result.usual == pytest.approx(np.median(1 - normal.mean(axis=1)), abs=1e-5)
    assert last.nearest == tuple(np.argsort(-(vectors[:60] @ vectors[61]))[:3].tolist())
    assert last.reason == (
        f"{distances.mean():.2f} from its 10 nearest rows, where {result.usual:.2f} is usual"
    )
    assert result.threshold == min(each.score for each in result.found)
    assert (result.scores >= result.threshold).sum() == 2


def test_copies_of_an_anomaly_do_not_vouch_for_each_other() -> None:
    odd = around(7, 12, 0.01)
    vectors = np.concatenate([around(0, 988, 0.4), odd[:1], odd[:1], odd[:1]])
    assert found(vectors, share=3 / 991) == [988, 989, 990]
    vectors = np.concatenate([around(0, 988, 0.4), odd])  # edited, not equal
    assert not set(found(vectors, share=12 / 1000)) & set(range(988, 1000))
    of = np.minimum(np.arange(1000), 988)
    result = anomalies(vectors, share=12 / 1000, groups=Groups(of))
    assert [each.row for each in result.found] == list(range(988, 1000))
    assert len({each.score for each in result.found}) == 1


def test_what_most_rows_are_is_no_anomaly_however_far_from_the_rest() -> None:
    many = np.repeat(around(7, 1, 0.1), 60, axis=0)
    vectors = np.concatenate([around(0, 40, 0.4), many, around(3, 1, 0.1)])
    assert found(vectors, share=0.01) == [100]


def test_lof_finds_what_is_far_for_where_it_lies() -> None:
    """Among rows 50 times denser than others, which kNN distance takes for the anomalies."""
    dense, thin = around(0, 200, 0.05), around(9, 200, 1.5)
    stray = around(0, 3, 0.5, seed=4)
    vectors = np.concatenate([dense, thin, stray])
    assert {400, 401, 402} <= set(found(vectors, share=6 / 403, method="lof"))
    assert not {400, 401, 402} & set(found(vectors, share=6 / 403))
    reason = anomalies(vectors, share=0.01, method="lof").found[0].reason
    assert "times as far from its neighbours as they are from theirs" in reason


def test_lof_is_as_it_was_defined() -> None:
    """Row by row, as the paper has it; scikit-learn's LocalOutlierFactor gives the same."""
    vectors = around(0, 60, 0.8)
    distances = (1 - vectors @ vectors.T).astype(np.float64)
    np.fill_diagonal(distances, np.inf)
    near = np.argsort(distances, axis=1)[:, :10]
    last = np.sort(distances, axis=1)[:, 9]
    density = [1 / np.mean([max(last[b], distances[a, b]) for b in near[a]]) for a in range(60)]
    wanted = [np.mean([density[b] for b in near[a]]) / density[a] for a in range(60)]
    np.testing.assert_allclose(local_outlier_factors(knn(vectors, 10)), wanted, rtol=1e-4)


def test_odd_tables_divide_by_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = np.repeat(around(0, 1, 0.3), 50, axis=0)
        for method in ("knn", "lof"):
            result = anomalies(same, method=method)
            assert (result.found, np.isfinite(result.scores).all()) == ((), True)
            one = anomalies(np.concatenate([same, around(5, 1, 0.3)]), method=method)
            assert [each.row for each in one.found] == [50]
            assert np.isfinite([one.found[0].times_usual, *one.scores]).all()
        zeros = np.zeros((4, 24), np.float32)
        result = anomalies(np.concatenate([around(0, 96, 0.4), zeros]), share=0.04)
        assert [each.row for each in result.found] == [96, 97, 98, 99]
        assert result.found[0].score * result.usual == pytest.approx(1)


@pytest.mark.parametrize(
    ("rows", "how", "said"),
    [
        (3, {}, "There are 3 rows with a vector. Anomalies need 10 or more"),
        (20, {"share": 0.5}, "The share is 0.5"),
        (20, {"share": 0.0}, "The share is 0.0"),
        (20, {"method": "svm"}, "Unknown method 'svm'. Known: knn, lof."),
    ],
)
def test_what_cannot_be_asked_is_said(rows: int, how: dict, said: str) -> None:
    with pytest.raises(ValueError, match="^" + said.replace(".", r"\.")):
        anomalies(around(0, rows, 0.4), **how)
    vectors = around(0, 20, 0.4)
    vectors[7, 3] = np.nan
    with pytest.raises(ValueError, match="row 7 holds NaN"):
        anomalies(vectors)
