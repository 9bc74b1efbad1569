import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tunewright.cli.terminal import HomeOption, notes, print_json
from tunewright.suggestions import COMPLETION_MODEL, DEFAULT_MODEL, command
from tunewright.wording import counted, some

if TYPE_CHECKING:
    from tunewright.dataset.preparation import Base, Prepared, Split

_SHOWN = 5

_FileArgument = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A .csv, .tsv, .xlsx, .parquet, .json or .jsonl file."),
]
_OutputOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="OUT.jsonl", help="The file to write.")
]
_PromptOption = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="The column of the questions.", rich_help_panel="Columns"),
]
_CompletionOption = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="The column of the answers.", rich_help_panel="Columns"),
]
_MessagesOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN|ROLE=COLUMN",
        help="The column of whole conversations; or give it several times, as in "
        "user=question assistant=answer: a column for each message.",
        rich_help_panel="Columns",
    ),
]
_SystemOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="A system message to begin each chat with.")
]
_ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="The model to tune with this data: it decides the form and how long a row can "
        f"be. Not given: {DEFAULT_MODEL}, or {COMPLETION_MODEL} for --to completion.",
    ),
]
_DropLongOption = Annotated[
    bool,
    typer.Option("--drop-long", help="Leave out the rows that are too long for the model."),
]
_ToOption = Annotated[
    Literal["chat", "completion"] | None,
    typer.Option(help="The form to write. Not given: the one that the model takes."),
]
_SeparatorOption = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="What ends each prompt of the completion form. Not given: \\n\\n###\\n\\n",
    ),
]
_SheetOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The sheet of an .xlsx file. Not given: the first one."),
]
_ValidationShareOption = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="The share of rows that go to a validation file instead, such as 0.1.",
    ),
]
_StratifyOption = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Take that share of each value of this column."),
]
_SeedOption = Annotated[
    int, typer.Option(help="The same seed takes the same rows for the validation file.")
]
_JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON: what was done.")]


def prepare(
    file: _FileArgument,
    output: _OutputOption,
    prompt: _PromptOption = None,
    completion: _CompletionOption = None,
    messages: _MessagesOption = None,
    system: _SystemOption = None,
    model: _ModelOption = None,
    drop_long: _DropLongOption = False,
    to: _ToOption = None,
    separator: _SeparatorOption = None,
    sheet: _SheetOption = None,
    validation_share: _ValidationShareOption = None,
    stratify: _StratifyOption = None,
    seed: _SeedOption = 0,
    home: HomeOption = None,
    json: _JsonOption = False,
) -> None:
    """Make training data from a table, or from rows in another layout.

    Without --prompt, --completion and --messages the layout of each row is recognised: chats,
    ShareGPT, Alpaca, question and answer, preferences (DPO), and JSON text inside JSON text. A row
    that cannot be used goes to OUT.refused.jsonl, with its line and the reason; rows for validation
    go to OUT.validation.jsonl. The check finds no error in what is written.

    Example: tunewright data prepare faq.csv --prompt question --completion answer -o faq.jsonl
    """
    from tunewright.dataset.columns import Columns
    from tunewright.dataset.preparation import prepare as prepared

    split = _split(validation_share, stratify, seed)
    model = model or (COMPLETION_MODEL if to == "completion" else DEFAULT_MODEL)
    base, form = _base(model, to, drop_long, home)
    columns = Columns(prompt, completion, tuple(messages or ()), system, form, separator)
    with _telling_how_to_drop():
        done = prepared(file, output, columns, split, sheet, base)
    print_json(_wire(done)) if json else _print(done, model, home)


def _split(share: float | None, stratify: str | None, seed: int) -> "Split | None":
    from tunewright.dataset.preparation import Split
    from tunewright.errors import BadRequest

    if stratify is not None and share is None:
        raise BadRequest(
            "--stratify needs a share as well, such as --validation-share 0.1.", param="stratify"
        )
    return None if share is None else Split(share, stratify, seed)


def _base(
    model: str, to: str | None, drop_long: bool, home: Path | None
) -> "tuple[Base, Literal['chat', 'completion']]":
    """What is to be tuned, and the form of its rows, which is `to` where that is given."""
    from tunewright.cli.opening import records
    from tunewright.dataset.preparation import Base
    from tunewright.errors import BadRequest

    with records(home) as tw:
        renderer, form = tw.checking.renderer(model)
        base = Base(renderer, tw.checking.cut, drop_long)
    if to not in (None, form):
        raise BadRequest(f"{model} takes {form} rows: leave out --to, or name another --model.")
    return base, form


@contextmanager
def _telling_how_to_drop() -> Iterator[None]:
    """What is refused for its long rows is told with the whole command that leaves them out."""
    from tunewright.errors import BadRequest

    try:
        yield
    except BadRequest as error:
        if error.param != "drop_long":
            raise
        again = shlex.join(["tunewright", *sys.argv[1:], "--drop-long"])
        raise BadRequest(f"{error.message} That is: {again}") from None


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
        "keys_left_out": dict(done.left_out.most_common()),
    }


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _print(done: "Prepared", model: str, home: Path | None) -> None:
    from tunewright.dataset.verdict import FEWEST

    _note(f"{counted(done.rows, 'row')}: {done.trained:,} to {done.out}")
    if done.validation:
        _note(f"  for validation: {done.held_out:,} to {done.validation}")
    if done.without:
        _note(f"  values with too few rows for validation: {some(done.without)}")
    if done.left_out:
        _note(f"  not used: the keys {some(list(done.left_out))}")
    if done.refusals:
        _note(f"  refused: {done.refused.total():,}, each with its line in {done.refusals}")
        for reason, count in done.refused.most_common(_SHOWN):
            _note(f"    {count:,}: {reason}")
    fewest = FEWEST["training_file"]
    if done.trained < fewest:
        _note(f"  a job needs at least {counted(fewest, 'row')}: add some")
    options = {"validation_file": done.validation, "model": model, "home": home}
    _note(f"Next: {command('check', done.out, **options)}")


def _note(text: str) -> None:
    notes.print(text, markup=False, soft_wrap=True)
