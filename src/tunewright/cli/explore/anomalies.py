from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tunewright.cli.explore.parts import (
    AddedOutputOption,
    Answer,
    Asked,
    EmbeddingModelOption,
    OverwriteOutOption,
    TableArgument,
    beginning,
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
from tunewright.cli.terminal import HomeOption, JsonOption
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.analysis.anomalies import Anomalies, Anomaly
    from tunewright.resources.explored import Explored

_ShareOption = Annotated[
    float, typer.Option(metavar="SHARE", help="The share of the rows to name, below 0.5.")
]
_MethodOption = Annotated[
    Literal["knn", "lof"],
    typer.Option(help="knn: far from all other rows. lof: far for where a row lies."),
]


def anomalies(
    table: TableArgument,
    column: ColumnOption = None,
    share: _ShareOption = 0.01,
    method: _MethodOption = "knn",
    output: AddedOutputOption = None,
    overwrite: OverwriteOutOption = False,
    template: TemplateOption = None,
    sheet: SheetOption = None,
    model: EmbeddingModelOption = None,
    prompt_name: PromptNameOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Find the rows that are unlike all others, each with its reason.

    Example: tunewright explore anomalies reviews.csv --column text --share 0.02
    """
    asked = Asked(
        table,
        column,
        template,
        sheet,
        model,
        prompt_name,
        home,
        output=output,
        overwrite=overwrite,
        json=json,
        adds=("anomaly", "score"),
    )
    with opened(asked) as explored:
        with progress("Anomalies") as done:
            found = explored.anomalies(share=share, method=method, progress=done)
        give(asked, explored, _answer(explored, found))


def _answer(explored: "Explored", found: "Anomalies") -> Answer:
    lines, texts = explored.lines, explored.texts
    chosen = {each.row for each in found.found}
    return Answer(
        columns=[">line", ">times usual", "why", "text"],
        rows=[
            (
                lines[each.row],
                f"{each.times_usual:.1f}",
                _why(explored, each),
                beginning(texts[each.row]),
            )
            for each in found.found
        ],
        wire={
            "method": found.method,
            "share": found.share,
            "threshold": found.threshold if found.found else None,
            "usual_distance": found.usual,
            "data": [_wire(explored, each) for each in found.found],
        },
        added={
            "anomaly": [row in chosen for row in range(len(explored))],
            "score": [round(score, 6) for score in found.scores.tolist()],
        },
        said=_said(explored, found),
    )


def _why(explored: "Explored", each: "Anomaly") -> str:
    lines = ", ".join(str(explored.lines[row]) for row in each.nearest)
    return f"{each.reason}; the nearest normal rows: {lines}"


def _wire(explored: "Explored", each: "Anomaly") -> dict[str, Any]:
    return {
        "line": explored.lines[each.row],
        "score": each.score,
        "times_usual": each.times_usual,
        "reason": each.reason,
        "nearest": [
            {"line": explored.lines[row], "text": explored.texts[row]} for row in each.nearest
        ],
        "text": explored.texts[each.row],
    }


def _said(explored: "Explored", found: "Anomalies") -> list[str]:
    if not found.found:
        return ["No row is unlike the others: all are the same, or there as often as many."]
    what = "the farthest from all others" if found.method == "knn" else "the farthest for its place"
    return [
        f"{counted(len(found.found), 'row')} of {len(explored):,}, {what} first. --share says how "
        f"many are named ({found.share * 100:g} %): whether they are wrong is for you to see."
    ]
