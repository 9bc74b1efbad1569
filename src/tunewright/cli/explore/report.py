from pathlib import Path
from typing import Annotated

import typer

from tunewright.cli.explore.parts import (
    Asked,
    EmbeddingModelOption,
    ItemOption,
    LabelOption,
    NumberOption,
    TableArgument,
    UserOption,
    opened,
    progress,
)
from tunewright.cli.table_options import (
    ColumnOption,
    PromptNameOption,
    SheetOption,
    TemplateOption,
)
from tunewright.cli.terminal import HomeOption, note

_ReportOption = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="REPORT",
        help="The report: one .html file, which opens anywhere and asks no network.",
    ),
]


def report(
    table: TableArgument,
    output: _ReportOption,
    column: ColumnOption = None,
    label: LabelOption = None,
    number: NumberOption = None,
    user: UserOption = None,
    item: ItemOption = None,
    template: TemplateOption = None,
    sheet: SheetOption = None,
    model: EmbeddingModelOption = None,
    prompt_name: PromptNameOption = None,
    home: HomeOption = None,
) -> None:
    """Everything at once, as one HTML file to pass on: `report` itself may be left out.

    Example: tunewright explore report reviews.csv --column text --number stars -o report.html
    """
    from tunewright.resources.explore_report import check_report

    check_report(output)
    asked = Asked(
        table,
        column,
        template,
        sheet,
        model,
        prompt_name,
        home,
        label=label,
        number=number,
        user=user,
        item=item,
    )
    with opened(asked) as explored:
        with progress("Exploring") as share:
            explored.report(output, progress=share)
        note(f"Report: {output}")
