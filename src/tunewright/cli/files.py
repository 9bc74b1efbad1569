"""Uploaded data and results."""

import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunewright.cli.terminal import (
    HomeOption,
    JsonOption,
    LimitOption,
    moment,
    notes,
    print_json,
    print_table,
    say,
)
from tunewright.cli.verbs import list_records
from tunewright.suggestions import Value, prepare

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.records.files import File

app = typer.Typer(
    no_args_is_help=True,
    help="Training data and results.\n\nExample: tunewright files create chats.jsonl",
)
FileId = Annotated[str, typer.Argument(metavar="FILE-ID", help="As `files list` shows it.")]
_COLUMNS = [">bytes", "id", "filename", "purpose", "created"]


@app.command()
def create(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A JSONL file.")],
    purpose: Annotated[
        str, typer.Option(help="What the file is for: fine-tune for training and validation data.")
    ] = "fine-tune",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Upload a file and print its id.

    Example: tunewright files create chats.jsonl
    """
    from tunewright.cli.opening import records

    if purpose == "fine-tune":
        refuse_other_formats([path], home=home)
    with records(home) as tw:
        file = tw.files.create(file=path, purpose=purpose)
    print_json(file.wire()) if json else say(file.id)


@app.command("list")
def list_(
    home: HomeOption = None,
    limit: LimitOption = 100,
    json: JsonOption = False,
) -> None:
    """List files, newest first.

    Example: tunewright files list --limit 10
    """
    list_records(home, lambda tw: tw.files.list(limit=limit), _COLUMNS, _row, json=json)


def _row(_: "Tunewright", file: "File") -> tuple[object, ...]:
    return f"{file.bytes:,}", file.id, file.filename, file.purpose, moment(file.created_at)


@app.command()
def get(id: FileId, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show one file's record.

    Example: tunewright files get file-Ab12...
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        file = tw.files.retrieve(id)
        row = _row(tw, file)
    return print_json(file.wire()) if json else print_table(_COLUMNS, [row])


@app.command()
def content(id: FileId, home: HomeOption = None) -> None:
    """Write a file's bytes to standard output.

    Example: tunewright files content file-Ab12... > result.csv
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        for piece in tw.files.content(id):
            sys.stdout.buffer.write(piece)
        sys.stdout.flush()


@app.command()
def delete(id: FileId, home: HomeOption = None) -> None:
    """Delete a file and its bytes.

    Example: tunewright files delete file-Ab12...
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        tw.files.delete(id)
    say(f"Deleted {id}.")


def refuse_other_formats(paths: Iterable[Path], **options: Value) -> None:
    """End with exit status 2 where a file is a table, say, before anything is uploaded. `options`
    are those of the command that makes training data of it."""
    from tunewright.dataset.advising import advice

    for path in paths:
        suggest = partial(prepare, path, **options)
        if path.is_file() and (said := advice(path, suggest)):
            notes.print(f"{path}: {said}", markup=False, soft_wrap=True)
            notes.print("Nothing was uploaded.")
            raise typer.Exit(2)
