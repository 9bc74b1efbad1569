"""Options of the commands that read a table of texts."""

from typing import Annotated

import typer

ColumnOption = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN[,COLUMN...]",
        help="The column of the table that holds the texts; of several, a text is put together. "
        "Not given: those of --template, or `text`.",
        show_default=False,
    ),
]
TemplateOption = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="How to put a text together: columns in braces, such as '{title}: {text}'.",
    ),
]
PromptNameOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Of the model's prompts, the one to put before each text. Not given: its default.",
        show_default=False,
    ),
]
SheetOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of a .xlsx file. Not given: the first.")
]
