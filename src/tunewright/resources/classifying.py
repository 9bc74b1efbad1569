"""Labels and numbers of an explored table's rows: learned, told without learning, predicted."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tunewright.errors import BadRequest
from tunewright.resources.explored_table import rule_of
from tunewright.resources.predictors import (
    Predictions,
    SavedPredictor,
    check_output,
    load,
    predictions,
    save,
)

if TYPE_CHECKING:
    from tunewright.analysis.classification import Classification
    from tunewright.analysis.regression import Regression
    from tunewright.analysis.zero_shot import ZeroShot
    from tunewright.resources.explored import Explored

Progress = Callable[[float], None]


def classify(
    table: "Explored", label: str, method: str, seed: int, progress: Progress
) -> "Classification":
    from tunewright.analysis.classes import classes_by, classes_of
    from tunewright.analysis.classification import classify as classified
    from tunewright.analysis.classifiers import METHODS

    if method not in METHODS:
        known = " or ".join(f"'{one}'" for one in METHODS)
        raise BadRequest(f"There is no method '{method}'. Use {known}.", param="method")
    rule = rule_of(label, table.columns)
    if rule is None:
        classes = classes_of(table.labels(label), label)
    else:
        classes = classes_by(rule, table.numbers(rule.column).tolist())
    return classified(
        table.vectors, classes, method=method, column=label, seed=seed, progress=progress
    )


def zero_shot(
    table: "Explored",
    labels: Mapping[str, str],
    templates: Sequence[str] | None,
    label: str | None,
    seed: int,
) -> "ZeroShot":
    from tunewright.analysis.zero_shot import TEMPLATES, filled
    from tunewright.analysis.zero_shot import zero_shot as told

    given = None if label is None else table.labels(label)
    texts = filled(list(labels.values()), templates or TEMPLATES)
    return told(table.vectors, table.embedded(texts), list(labels), given, seed=seed)


def texts_of_labels(labels: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """By label, the text that is embedded for it: its own, where no other is given. Raises
    BadRequest for fewer than two, or one that is there twice."""
    names = [name.strip() for name in labels]
    if len(names) < 2 or len(set(names)) < len(names) or not all(names):
        raise BadRequest(
            "Give two labels or more, each once, with commas between: --labels 'good,bad'.",
            param="labels",
        )
    texts = labels.values() if isinstance(labels, Mapping) else names
    return dict(zip(names, (text.strip() for text in texts), strict=True))


def save_predictor(
    table: "Explored",
    found: "Classification | Regression",
    output: Path,
    predicts: str,
    *,
    overwrite: bool,
) -> SavedPredictor:
    from tunewright.analysis.predictor import Predictor

    check_output(output, overwrite=overwrite)
    if table.model is None or table.fingerprint is None:
        raise BadRequest(
            f"{table.name} does not say which model made its vectors, so nobody could tell which "
            "others a predictor fits. Use the table with its texts, or the .parquet file that "
            "`tunewright embed` wrote.",
            param="save",
        )
    saved = SavedPredictor(
        Predictor.of(found, table.vectors.shape[1]),
        predicts,
        table.model,
        table.fingerprint,
        tuple(table.text_columns),
        table.options.get("template"),
        table.options.get("prompt_name"),
        found.rows,
        _measured(found),
    )
    save(output, saved)
    return saved


def _measured(found: "Classification | Regression") -> dict[str, float]:
    from tunewright.analysis.regression import Regression

    if isinstance(found, Regression):
        figures = {"r2": found.r2.value, "mae": found.mae.value, "baseline_mae": found.baseline_mae}
    else:
        figures = {"accuracy": found.accuracy.value, "majority": found.majority}
    return {name: round(value, 6) for name, value in figures.items()}


def predict(table: "Explored", predictor: "SavedPredictor | Path | str") -> Predictions:
    saved = predictor if isinstance(predictor, SavedPredictor) else load(Path(predictor))
    saved.check(table.model, table.fingerprint, table.vectors.shape[1])
    return predictions(saved, table.vectors)
