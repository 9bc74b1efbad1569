"""What `explore classify` and `predict` show, and the columns that they add."""

import dataclasses
from typing import TYPE_CHECKING, Any

from tunewright.cli.explore.parts import Answer, beginning
from tunewright.cli.terminal import print_table, say
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.analysis.classification import Classification, OfClass
    from tunewright.analysis.intervals import Interval
    from tunewright.analysis.regression import Regression
    from tunewright.analysis.zero_shot import ZeroShot
    from tunewright.resources.explored import Explored
    from tunewright.resources.predictors import Predictions, SavedPredictor

_DIGITS = 6
_CLASSES = 20  # that are shown
_CELLS = 12  # classes up to which the confusion matrix is shown
_SHORT = 120  # characters of a text beside other columns
_SURE = 0.9


def tables(found: "Classification") -> None:
    """Figures, classes, confusion matrix."""
    say(
        f"{counted(found.rows, 'row')} with a label, {found.method}, {found.folds} folds"
        + (f"; {_together(found.grouped)}" if found.grouped else "")
    )
    for one in found.notes:
        say(one)
    say("")
    chance = f"always '{_most_frequent(found)}': {found.majority:.3f}"
    rows = [("accuracy", str(found.accuracy), chance), ("macro F1", str(found.macro_f1), "")]
    if found.auc:
        rows.append(("area under the ROC curve", str(found.auc), "by chance: 0.500"))
    print_table(["", "cross-validated (95 % interval)", "baseline"], rows)
    say("")
    print_table(
        ["label", ">rows", ">precision", ">recall", ">F1"],
        [
            (one.label, one.rows, f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}")
            for one in _largest(found)
        ],
    )
    if len(found.labels) > _CLASSES:
        say(f"... and {len(found.labels) - _CLASSES} smaller ones: --json has them all.")
    say("")
    if len(found.labels) <= _CELLS:
        cells = zip(found.labels, found.confusion.tolist(), strict=True)
        columns = ["given \\ predicted", *(f">{label}" for label in found.labels)]
        print_table(columns, [(label, *row) for label, row in cells])
        say("")


def _largest(found: "Classification") -> "list[OfClass]":
    """In the order of the labels."""
    least = sorted((one.rows for one in found.classes), reverse=True)[:_CLASSES][-1]
    return [one for one in found.classes if one.rows >= least][:_CLASSES]


def _together(grouped: int) -> str:
    return f"{counted(grouped, 'near-duplicate')} kept in the fold of the row that they are like"


def _most_frequent(found: "Classification") -> str:
    return found.labels[int(found.confusion.sum(axis=1).argmax())]


def classification(explored: "Explored", found: "Classification", label: str, top: int) -> Answer:
    suspects: list[dict[str, Any]] = [
        {
            "line": explored.lines[one.row],
            "given": one.given,
            "predicted": one.predicted,
            "confidence": one.confidence,
            "text": explored.texts[one.row],
        }
        for one in found.suspects
    ]
    said = [_calibrated(found)]
    if found.forecast:
        said.append(found.forecast.sentence)
    if suspects:
        showing = f"; the likeliest {top} of them" if top and len(suspects) > top else ""
        said += ["", f"{counted(len(suspects), 'label')} that may be wrong{showing}:"]
    predicted = [found.labels[at] for at in found.predicted]
    sure = found.confidence.max(axis=1).tolist()
    return Answer(
        columns=[">line", "given", "predicted", ">confidence", "text"] if suspects[:top] else [],
        rows=[
            (
                one["line"],
                one["given"],
                one["predicted"],
                f"{one['confidence']:.3f}",
                beginning(one["text"], _SHORT),
            )
            for one in suspects[:top]
        ],
        wire=_wire(found, label) | {"suspects": suspects},
        added={
            "predicted_label": predicted,
            "confidence": [round(one, _DIGITS) for one in sure],
        },
        said=said,
    )


def _calibrated(found: "Classification") -> str:
    off = sum(abs(one.confidence - one.right) * one.count for one in found.calibration)
    sure = [one for one in found.calibration if one.confidence >= _SURE]
    count = sum(one.count for one in sure)
    of_sure = ""
    if count:
        right = sum(one.right * one.count for one in sure) / count
        of_sure = (
            f" {count:,} rows have a confidence around {_SURE} or more: {right:.1%} are right."
        )
    return f"Confidence differs by {off / found.rows:.3f} from the share that is right.{of_sure}"


def _wire(found: "Classification", label: str) -> dict[str, Any]:
    return {
        "label": label,
        "labels": list(found.labels),
        "method": found.method,
        "labelled": found.rows,
        "near_duplicates": found.grouped,
        "folds": found.folds,
        "accuracy": interval(found.accuracy),
        "macro_f1": interval(found.macro_f1),
        "auc": interval(found.auc),
        "majority": found.majority,
        "classes": [dataclasses.asdict(one) for one in found.classes],
        "confusion": found.confusion.tolist(),
        "calibration": [dataclasses.asdict(one) for one in found.calibration],
        "learning": [
            {"rows": point.rows, "accuracy": interval(point.score)} for point in found.learning
        ],
        "forecast": found.forecast
        and {
            "rows": found.forecast.rows,
            "accuracy": interval(found.forecast.score),
            "gain": interval(found.forecast.gain),
            "sentence": found.forecast.sentence,
        },
        "about_labels": list(found.notes),
    }


def interval(found: "Interval | None") -> dict[str, float] | None:
    return None if found is None else dataclasses.asdict(found)


def regression(explored: "Explored", found: "Regression", number: str) -> Answer:
    errors = abs(found.given - found.predicted)
    known = [row for row in range(len(explored)) if errors[row] == errors[row]]
    worst = sorted(known, key=lambda row: -errors[row])[:10]
    together = f"; {_together(found.grouped)}" if found.grouped else ""
    return Answer(
        columns=[">line", f">{number}", ">predicted", "text"],
        rows=[
            (
                explored.lines[row],
                f"{found.given[row]:g}",
                f"{found.predicted[row]:.3g}",
                beginning(explored.texts[row], _SHORT),
            )
            for row in worst
        ],
        wire={
            "number": number,
            "labelled": found.rows,
            "near_duplicates": found.grouped,
            "folds": found.folds,
            "r2": interval(found.r2),
            "mae": interval(found.mae),
            "baseline_mae": found.baseline_mae,
            "about_numbers": list(found.notes),
        },
        added={"predicted_number": [round(float(one), _DIGITS) for one in found.predicted]},
        said=[
            f"{counted(found.rows, 'row')} with a number, ridge regression, {found.folds} folds"
            f"{together}",
            *found.notes,
            f"mean error                  {found.mae}, always the mean: {found.baseline_mae:.3f}",
            f"share of variance explained {found.r2}, always the mean: 0",
            "",
            "Where the prediction is furthest off:",
        ],
    )


def zero_shot(explored: "Explored", found: "ZeroShot", label: str | None) -> Answer:
    counts = {name: int((found.predicted == at).sum()) for at, name in enumerate(found.labels)}
    best = found.similarity.max(axis=1)
    judged = found.judged
    said = ["Nothing was learned: each row has the label whose text is most similar.", *found.notes]
    if judged:
        said += [
            f"accuracy {judged.accuracy}, always the most frequent label: {judged.majority:.3f}, "
            f"over {counted(judged.rows, 'row')} with one of these labels in '{label}'",
            f"macro F1 {judged.macro_f1}",
        ]
        said += [f"area under the ROC curve {judged.auc}, by chance: 0.500"] if judged.auc else []
    elif label is None:
        said.append("Whether it is right nobody knows: --label COLUMN compares it with labels.")
    return Answer(
        columns=["label", ">rows"],
        rows=list(counts.items()),
        wire={
            "labels": list(found.labels),
            "counts": counts,
            "judged": judged
            and {
                "labelled": judged.rows,
                "accuracy": interval(judged.accuracy),
                "macro_f1": interval(judged.macro_f1),
                "auc": interval(judged.auc),
                "majority": judged.majority,
                "confusion": judged.confusion.tolist(),
            },
            "about_labels": list(found.notes),
            "data": [
                {"line": line, "predicted_label": found.labels[at], "similarity": float(score)}
                for line, at, score in zip(explored.lines, found.predicted, best, strict=True)
            ],
        },
        added={
            "predicted_label": [found.labels[at] for at in found.predicted],
            "similarity": [round(float(score), _DIGITS) for score in best],
        },
        said=said,
    )


def predictions(explored: "Explored", saved: "SavedPredictor", found: "Predictions") -> Answer:
    said = [
        f"'{saved.predicts}' by a predictor that learned from {counted(saved.rows, 'row')}; by "
        "cross-validation: "
        + ", ".join(f"{name} {value:.3f}" for name, value in saved.measured.items())
    ]
    added: dict[str, list[Any]]
    if found.labels is not None and found.confidence is not None:
        added = {
            "predicted_label": list(found.labels),
            "confidence": [round(float(one), _DIGITS) for one in found.confidence],
        }
    else:
        numbers = [] if found.numbers is None else found.numbers.tolist()
        added = {"predicted_number": [round(one, _DIGITS) for one in numbers]}
    rows = [
        dict(zip(("line", *added, "text"), row, strict=True))
        for row in zip(explored.lines, *added.values(), explored.texts, strict=True)
    ]
    first = next(iter(added))
    return Answer(
        columns=[">line", *added, "text"],
        rows=[(*list(row.values())[:-1], beginning(row["text"], _SHORT)) for row in rows],
        wire={"predicts": saved.predicts, "kind": first.removeprefix("predicted_"), "data": rows},
        added=added,
        said=said,
    )
