"""`tunewright explore classify` and `predict`: labels and numbers by the vectors of texts."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tunewright.cli.explore.parts import (
    AddedOutputOption,
    Answer,
    Asked,
    EmbeddingModelOption,
    NumberOption,
    OverwriteOutOption,
    TableArgument,
    give,
    opened,
    progress,
)
from tunewright.cli.table_options import (
    ColumnOption,
    PromptNameOption,
    SheetOption,
    TemplateOption,
)
from tunewright.cli.terminal import HomeOption, JsonOption, note

if TYPE_CHECKING:
    from tunewright.resources.explored import Explored

_BETWEEN = re.compile("(?<![<>])=")  # a label and its text

_ClassOption = Annotated[
    str | None,
    typer.Option(
        "--label",
        metavar="COLUMN",
        help="The column with each row's class. Or two classes of a number: 'Score >= 4 against "
        "<= 2'; rows on neither side (Score 3) are predicted only.",
        show_default=False,
    ),
]
_LabelsOption = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="A,B,...",
        help="Labels to choose from without learning (zero-shot): a row gets the one whose text is "
        "most similar. A=TEXT embeds TEXT for the label A. With --label, it is told how often that "
        "is right.",
        show_default=False,
    ),
]
_LabelTemplateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--label-template",
        metavar="TEXT",
        help="What a label is put into before it is embedded, at {}. May be given several times: "
        "their mean is taken.",
        show_default=False,
    ),
]
_MethodOption = Annotated[
    Literal["logistic regression", "nearest neighbours"],
    typer.Option(help="How labels are learned from vectors."),
]
_SaveOption = Annotated[
    Path | None,
    typer.Option(
        "--save",
        metavar="MODEL",
        help="Keep what was learned for `explore predict`: one .safetensors file.",
        show_default=False,
    ),
]
_TopOption = Annotated[int, typer.Option(min=0, help="How many likely wrong labels to show.")]
_PredictorArgument = Annotated[
    Path, typer.Argument(metavar="MODEL", help="What `explore classify --save` kept.")
]


def classify(
    table: TableArgument,
    column: ColumnOption = None,
    label: _ClassOption = None,
    number: NumberOption = None,
    labels: _LabelsOption = None,
    label_template: _LabelTemplateOption = None,
    method: _MethodOption = "logistic regression",
    top: _TopOption = 10,
    save: _SaveOption = None,
    output: AddedOutputOption = None,
    overwrite: OverwriteOutOption = False,
    template: TemplateOption = None,
    sheet: SheetOption = None,
    model: EmbeddingModelOption = None,
    prompt_name: PromptNameOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Learn labels (or a number) from the texts: how well that works, which labels are likely
    wrong, whether more would help.

    All figures are by cross-validation, and so are the predictions of rows that have a label. Rows
    without one are predicted by what learned from all others.

    Example: tunewright explore classify reviews.csv --column text --label topic -o labelled.csv
    """
    from tunewright.cli.explore import classified as shown

    _check(label, number, labels, save, overwrite=overwrite)
    asked = Asked(
        table,
        column,
        template,
        sheet,
        model,
        prompt_name,
        home,
        number=number,
        output=output,
        overwrite=overwrite,
        json=json,
        adds=_adds(number, labels),
    )
    with opened(asked) as explored:
        answer: Answer
        if labels is not None:
            told = explored.zero_shot(_texts(labels), templates=label_template, label=label)
            answer = shown.zero_shot(explored, told, label)
        elif number is not None:
            with progress("Learning") as share:
                regression = explored.regress(number, progress=share)
            _save(explored, regression, save, number, overwrite=overwrite)
            answer = shown.regression(explored, regression, number)
        else:
            with progress("Learning") as share:
                found = explored.classify(label, method=method, progress=share)
            _save(explored, found, save, str(label), overwrite=overwrite)
            if not json:
                shown.tables(found)
            answer = shown.classification(explored, found, str(label), top)
        give(asked, explored, answer)


def predict(
    predictor: _PredictorArgument,
    table: TableArgument,
    column: ColumnOption = None,
    output: AddedOutputOption = None,
    overwrite: OverwriteOutOption = False,
    template: TemplateOption = None,
    sheet: SheetOption = None,
    model: EmbeddingModelOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Predict the labels (or the number) of a table by a saved predictor.

    Columns, template and embedding model are the predictor's own, where no others are given;
    vectors of another model are refused.

    Example: tunewright explore predict topics.safetensors new.csv -o predicted.csv
    """
    from tunewright.cli.explore import classified as shown
    from tunewright.resources.predictors import load

    saved = load(predictor)
    own = column is None and template is None and not _has_vectors(table, sheet)
    asked = Asked(
        table,
        ",".join(saved.columns) if own else column,
        saved.template if own else template,
        sheet,
        model or (None if _has_vectors(table, sheet) else saved.model),
        saved.prompt_name,
        home,
        output=output,
        overwrite=overwrite,
        json=json,
        adds=("predicted_label", "confidence") if saved.predictor.labels else ("predicted_number",),
    )
    with opened(asked) as explored:
        give(asked, explored, shown.predictions(explored, saved, explored.predict(saved)))


def _has_vectors(table: Path, sheet: str | None) -> bool:
    from tunewright.tables.saved import saved

    return saved(table, None, sheet) is not None


def _adds(number: str | None, labels: str | None) -> tuple[str, ...]:
    if number is not None:
        return ("predicted_number",)
    return ("predicted_label", "confidence" if labels is None else "similarity")


def _check(
    label: str | None,
    number: str | None,
    labels: str | None,
    save: Path | None,
    *,
    overwrite: bool,
) -> None:
    from tunewright.errors import BadRequest
    from tunewright.resources.predictors import check_output

    if (number is not None and (label or labels)) or not (label or number or labels):
        raise BadRequest(
            "Give one of --label COLUMN (classes), --number COLUMN (a number) and --labels 'a,b' "
            "(without learning).",
            param="label",
        )
    if save and labels is not None:
        raise BadRequest("--labels learns nothing that --save could keep.", param="save")
    if save:
        check_output(save, overwrite=overwrite)


def _texts(labels: str) -> dict[str, str]:
    from tunewright.resources.classifying import texts_of_labels

    # An = behind < or > belongs to a label such as Score >= 4.
    pairs = [_BETWEEN.split(one, maxsplit=1) for one in labels.split(",") if one.strip()]
    texts_of_labels([pair[0] for pair in pairs])
    return {pair[0].strip(): pair[-1].strip() for pair in pairs}


def _save(
    explored: "Explored", found: Any, output: Path | None, predicts: str, *, overwrite: bool
) -> None:
    if output is not None:
        explored.save_predictor(found, output, predicts=predicts, overwrite=overwrite)
        note(f"Predictor: {output}")
