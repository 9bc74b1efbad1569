"""Planted classes, planted noise: what is known beforehand has to come out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tunewright.analysis.classes import Rule, classes_of
from tunewright.analysis.classification import Classification, classify
from tunewright.analysis.classifiers import Neighbours
from tunewright.analysis.folds import alike, folds
from tunewright.analysis.learning import Curve, forecast
from tunewright.analysis.measures import area
from tunewright.analysis.predictor import Predictor, restored
from tunewright.analysis.regression import regress
from tunewright.analysis.zero_shot import filled, zero_shot

Floats = NDArray[np.float32]


def planted(of: NDArray[np.int64], apart: float, seed: int = 0, dimensions: int = 16) -> Floats:
    """Unit vectors [n, d] in a cloud around the direction of their class."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(len(of), dimensions))
    vectors[np.arange(len(of)), of] += apart
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def names(of: NDArray[np.int64]) -> list[str | None]:
    return [f"class {number}" for number in of]


OF = np.arange(240) % 3
FLIPPED = (4, 17, 30, 77, 91, 120, 133, 160, 182, 199)


@pytest.fixture(scope="module")
def told() -> Classification:
    """Three classes that lie apart; ten of the first 200 rows are labelled wrongly, and the last 40
    are not."""
    given = OF.copy()
    given[list(FLIPPED)] = (given[list(FLIPPED)] + 1) % 3
    return classify(planted(OF, 9), [*names(given)[:200], *[None] * 40])


def test_classes_that_lie_apart_are_told_apart_and_rows_without_a_label_get_one(
    told: Classification,
) -> None:
    assert told.labels == ("class 0", "class 1", "class 2")
    assert (told.rows, told.folds, told.auc) == (200, 5, None)
    assert 0.9 < told.accuracy.value <= 0.95 < told.accuracy.high
    assert told.majority == pytest.approx(68 / 200)
    assert (told.predicted[200:] == OF[200:]).mean() > 0.95
    assert (told.given[200:] == -1).all()
    assert told.confusion.sum() == 200
    assert told.classes[0].recall > 0.85
    assert told.notes == ("40 rows without a label: predicted, not learned from.",)
    assert told.confidence.sum(axis=1) == pytest.approx(np.ones(240))


def test_flipped_labels_are_suspected_first(told: Classification) -> None:
    found = told.suspects
    assert len({one.row for one in found[:10]} & set(FLIPPED)) >= 9
    first = found[0]
    assert first.given == f"class {(OF[first.row] + 1) % 3}"
    assert first.predicted == f"class {OF[first.row]}"
    assert first.confidence > 0.8
    assert first.in_given < 0.1


def test_a_predictor_gives_what_the_classifier_gave(told: Classification) -> None:
    vectors = planted(OF, 9)
    predictor = Predictor.of(told, 16)
    again = restored(predictor.arrays(), predictor.facts())
    assert again.kind == "classes"
    assert again.labels == told.labels
    assert again.confidence(vectors[200:]) == pytest.approx(told.confidence[200:], abs=1e-12)
    with pytest.raises(ValueError, match="takes vectors of 16 dimensions"):
        again.confidence(vectors[:, :8])
    with pytest.raises(ValueError, match="shape"):
        restored(predictor.arrays(), {**predictor.facts(), "dimensions": 15})


@pytest.mark.parametrize(
    "method",
    ["logistic regression", pytest.param("nearest neighbours", marks=pytest.mark.slow)],
)
def test_labels_by_chance_are_predicted_no_better_than_chance(method: str) -> None:
    """Each row is there twice with one label: apart, one would tell the other's."""
    random = np.random.default_rng(3)
    vectors = np.repeat(planted(random.integers(0, 2, 100), 0), 2, axis=0)
    labels = names(np.repeat(random.integers(0, 2, 100), 2))
    found = classify(vectors, labels, method=method)
    assert found.grouped == 100
    assert found.auc is not None
    assert found.auc.low < 0.5 < found.auc.high
    assert found.accuracy.low < 0.5
    assert found.accuracy.high - found.accuracy.low > 0.17  # of 100 rows, not of 200


def test_confidence_keeps_its_word() -> None:
    of = np.random.default_rng(5).integers(0, 2, 600)
    found = classify(planted(of, 1.5), names(of))
    assert 0.6 < found.accuracy.value < 0.9
    assert sum(one.count for one in found.calibration) == 600
    gaps = [abs(one.confidence - one.right) * one.count for one in found.calibration]
    assert sum(gaps) / 600 < 0.06


def curve_of(errors: list[float], rows: int) -> Curve:
    """As if classifiers of 20, 40, 80 ... rows had been wrong so often, on the same rows."""
    luck = np.random.default_rng(0).random((1, 3, rows))
    right = luck >= np.array(errors)[:, None, None]
    return Curve(20 * 2 ** np.arange(len(errors)), right)


def test_how_a_curve_goes_on() -> None:
    rising = forecast(curve_of([0.48, 0.36, 0.27, 0.20, 0.15, 0.11], 2000), 4)
    assert rising.score is not None
    assert rising.score.low < 1 - 0.11 * 0.75**2 < rising.score.high
    assert rising.rows == 8000
    assert rising.sentence.startswith("More labels would help: with 4 times as many labels (8,000)")
    flat = forecast(curve_of([0.2, 0.11, 0.1, 0.1, 0.1, 0.1], 2000), 4)
    assert flat.sentence.startswith("More labels would help little: ")
    unknown = forecast(curve_of([0.4, 0.3, 0.2], 60), 4)
    assert unknown.score is None
    assert unknown.sentence.startswith("The curve cannot tell whether more labels would help")
    assert "too few labelled rows" in forecast(curve_of([0.4, 0.3], 50), 4).sentence


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["a"] * 9, "one class only: 9 rows with 'a'. A classifier needs two"),
        ([None, " "], "The column 'label' has no label."),
        ([f"id-{n}" for n in range(50)], "50 different values in 50 rows: it tells rows apart"),
        (
            [str(n) for n in range(50)],
            r"if it is an amount, predict it as a number \(--number .label.\)",
        ),
        (["a", "b", "c"], "no class with 3 rows or more, among 3 rows with a label"),
        (["a", "a", "a", "b"], "1 class with 3 rows or more"),
    ],
)
def test_labels_that_are_no_classes(labels: list[str | None], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        classes_of(labels)


def test_what_is_worth_knowing_of_labels_is_said() -> None:
    found = classes_of(["Good"] * 4 + ["good "] * 3 + ["bad"] * 5 + ["odd"] + [None])
    assert found.names == ("Good", "bad", "good ")
    assert found.of.tolist()[-2:] == [-1, -1]
    assert [note.split(":")[0] for note in found.notes] == [
        "1 row without a label",
        "Left out for having fewer than 3 rows",
        "Written differently, so taken as different classes",
    ]
    assert "'odd' (1)" in found.notes[1]
    assert "'Good' (4) and 'good ' (3)" in found.notes[2]
    assert classes_of(["10"] * 3 + ["9"] * 3).names == ("9", "10")


def test_a_rule_makes_classes_of_a_number() -> None:
    rule = Rule.parse("Score >=4 against <= 2")
    assert rule is not None
    assert rule.column == "Score"
    assert rule.labels([5, 4, 3, 1, float("nan")]) == [
        "Score >= 4",
        "Score >= 4",
        None,
        "Score <= 2",
        None,
    ]
    half = Rule.parse("my price>9.5")
    assert half is not None
    assert half.labels([9.5, 10]) == ["not my price > 9.5", "my price > 9.5"]
    assert Rule.parse("Score") is None
    both = Rule.parse("Score >= 2 against <= 3")
    assert both is not None
    with pytest.raises(ValueError, match="Score 3 is on both sides"):
        both.labels([3])


def test_near_duplicates_are_in_one_fold_and_classes_in_all() -> None:
    of = np.repeat([0, 0, 0, 1], 25)
    vectors = planted(of, 0, dimensions=32)
    vectors[1:4] = vectors[0]
    groups = alike(vectors)
    fold = folds(of, groups, 5)
    assert len(set(groups[:4].tolist())) == 1
    assert groups.max() == 96
    assert len(set(fold[:4].tolist())) == 1
    assert np.bincount(fold[of == 1]).tolist() == [5] * 5


def test_copies_of_one_text_are_nothing_to_judge_by() -> None:
    copies = np.repeat(np.eye(2, 16, dtype=np.float32), 12, axis=0)
    labels: list[str | None] = [*["a"] * 12, *["b"] * 12]
    with pytest.raises(ValueError, match="the label 'a' are near-duplicates of one another"):
        classify(copies, labels)
    with pytest.raises(ValueError, match="24 rows with a number in 'n' are 2 different texts"):
        regress(copies, np.arange(24.0), column="n")
    others = planted(np.repeat([0, 1], 12), 6)
    found = classify(np.concatenate([copies[:12], others]), [*["c"] * 12, *labels])
    assert found.notes[0].startswith("All rows of 'c' are near-duplicates of one another")
    assert found.confusion[2, 2] == 0


def test_the_area_compares_rows_of_one_fold() -> None:
    positive = np.array([True, False, True, False])
    scores, fold = np.array([0.9, 0.8, 0.3, 0.3]), np.array([0, 0, 1, 1])
    assert area(positive, scores, fold)(np.arange(4)) == 0.75
    assert area(positive, scores, fold * 0)(np.arange(4)) == 0.625
    assert np.isnan(area(positive, scores, fold)(np.array([0, 2])))


def test_a_number_is_predicted_better_than_by_its_mean() -> None:
    random = np.random.default_rng(4)
    vectors = planted(np.zeros(300, np.int64), 0)
    numbers = 10 * vectors[:, 0].astype(np.float64) + random.normal(size=300)
    truth = numbers.copy()
    numbers[280:] = np.nan
    found = regress(vectors, numbers)
    assert (found.rows, found.folds) == (280, 5)
    assert found.r2.low < 1 - 1 / truth.var() < found.r2.high  # the noise has the variance 1
    assert found.mae.low < np.sqrt(2 / np.pi) < found.mae.high < found.baseline_mae
    assert np.corrcoef(found.predicted[280:], truth[280:])[0, 1] > 0.8
    chance = regress(vectors, random.normal(size=300))
    assert chance.r2.low < 0.02


def test_numbers_that_cannot_be_predicted() -> None:
    vectors = planted(np.zeros(20, np.int64), 0)
    with pytest.raises(ValueError, match="has a number in 3 rows: at least 10"):
        regress(vectors, np.array([1.0, 2, 3] + [np.nan] * 17))
    with pytest.raises(ValueError, match="has the number 4 in each of 20 rows"):
        regress(vectors, np.full(20, 4.0))
    vectors[7, 0] = np.nan
    with pytest.raises(ValueError, match="row 7 holds NaN"):
        regress(vectors, np.arange(20.0))


def test_zero_shot_takes_the_nearest_text_and_is_judged_by_labels() -> None:
    of = np.arange(90) % 3
    texts = np.repeat(np.eye(3, 16, dtype=np.float32), 2, axis=0)  # two templates each
    given: list[str | None] = [["a", "b", "c"][number] for number in of]
    given[0], given[1] = None, "other"
    found = zero_shot(planted(of, 9), texts, ["a", "b", "c"], given)
    assert (found.predicted == of).mean() > 0.9
    assert found.judged is not None
    assert found.judged.rows == 88
    assert found.judged.accuracy.low > 0.9
    assert found.judged.majority == pytest.approx(30 / 88)
    assert found.notes == (
        "Not judged, for their label is none of those that were given: 1 row ('other').",
    )
    assert filled(["x"], ["{}", "About {}."]) == ["x", "About x."]
    with pytest.raises(ValueError, match="two labels or more"):
        zero_shot(planted(of, 9), texts[:2], ["a"])


def test_a_predictor_by_neighbours_keeps_them() -> None:
    of = np.arange(90) % 3
    vectors = planted(of, 4)
    shares = np.full(3, 1 / 3)
    predictor = Predictor(Neighbours(vectors, of, shares, 5), ("a", "b", "c"), 1.2, 16)
    again = restored(predictor.arrays(), predictor.facts())
    assert (again.confidence(vectors) == predictor.confidence(vectors)).all()
    with pytest.raises(ValueError, match="a class that there is not"):
        restored({**predictor.arrays(), "of": of + 1}, predictor.facts())
