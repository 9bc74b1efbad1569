from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tunewright.cli.terminal import notes, print_json

if TYPE_CHECKING:
    from tunewright.dataset.preparation import Prepared

_SHOWN = 5


def prepare(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A .csv, .tsv, .xlsx, .parquet, .json or .jsonl file."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT.jsonl", help="What to write.")],
    prompt: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="What is asked.", rich_help_panel="Columns")
    ] = None,
    completion: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="What is to be answered.", rich_help_panel="Columns"),
    ] = None,
    messages: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN|ROLE=COLUMN",
            help="A column of whole conversations; or, several times, whose message a column is.",
            rich_help_panel="Columns",
        ),
    ] = None,
    system: Annotated[
        str | None, typer.Option(metavar="TEXT", help="A system message to open each chat.")
    ] = None,
    to: Annotated[Literal["chat", "completion"], typer.Option(help="The form to write.")] = "chat",
    separator: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What ends each prompt of the completion form. [default: \\n\\n###\\n\\n]",
            show_default=False,
        ),
    ] = None,
    sheet: Annotated[
        str | None, typer.Option(metavar="NAME", help="A sheet of an .xlsx file, not the first.")
    ] = None,
    validation_share: Annotated[
        float | None, typer.Option(metavar="SHARE", help="How much to hold out, as in 0.1.")
    ] = None,
    stratify: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Hold out that much of each value of it.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the draw of what is held out.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Make training data of a table: every row is written, or refused with its line and a reason.

    Held-out rows go to OUT.validation.jsonl, refused ones to OUT.refused.jsonl.

    Example: tunewright data prepare faq.csv --prompt question --completion answer -o faq.jsonl
    """
    from tunewright.dataset.columns import Columns
    from tunewright.dataset.preparation import Split
    from tunewright.dataset.preparation import prepare as prepared
    from tunewright.errors import BadRequest

    columns = Columns(prompt, completion, tuple(messages or ()), system, to, separator)
    if stratify is not None and validation_share is None:
        raise BadRequest("Say how much to hold out: --validation-share 0.1.", param="stratify")
    split = None if validation_share is None else Split(validation_share, stratify, seed)
    done = prepared(file, out, columns, split, sheet)
    if json:
        print_json(_wire(done))
    else:
        _print(done)


def _wire(done: "Prepared") -> dict[str, object]:
    return {
        "rows": done.rows,
        "training_file": {"path": str(done.out), "rows": done.trained},
        "validation_file": {"path": _path(done.validation), "rows": done.held_out},
        "refused": {
            "path": _path(done.refusals),
            "rows": done.refused.total(),
            "reasons": dict(done.refused.most_common()),
        },
        "values_not_held_out": done.without,
    }


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _print(done: "Prepared") -> None:
    _note(f"{done.rows:,} rows: {done.trained:,} to {done.out}")
    if done.validation:
        _note(f"  held out: {done.held_out:,} to {done.validation}")
    if done.without:
        more = ", ..." if len(done.without) > _SHOWN else ""
        _note(f"  too rare to be held out: {', '.join(done.without[:_SHOWN])}{more}")
    if done.refusals:
        _note(f"  refused: {done.refused.total():,}, each with its line in {done.refusals}")
        for reason, count in done.refused.most_common(_SHOWN):
            _note(f"    {count:,}: {reason}")
    held_out = f" --validation {done.validation}" if done.validation else ""
    _note(f"Next: tunewright check {done.out}{held_out}")


def _note(text: str) -> None:
    notes.print(text, markup=False, soft_wrap=True)
