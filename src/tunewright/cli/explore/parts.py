"""What the commands of `tunewright explore` share: the table that is asked for, and what is given
back of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunewright.cli.terminal import note, note_left_out, print_json, print_table, say

if TYPE_CHECKING:
    from tunewright.resources.explored import Explored

SHOWN = 200  # characters of a text in a terminal's table
_DIGITS = 6  # of a number in JSON

TableArgument = Annotated[
    Path,
    typer.Argument(
        metavar="TABLE",
        help="A .csv, .tsv, .xlsx, .parquet, .json or .jsonl file, whose texts are embedded; or "
        "what `tunewright embed --output` wrote, whose vectors are used.",
        show_default=False,
    ),
]
EmbeddingModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="An embedding model. Not given: the one that made the vectors in TABLE, or "
        "text-embedding-ada-002.",
        show_default=False,
    ),
]
LabelOption = Annotated[
    str | None,
    typer.Option(
        "--label", metavar="COLUMN", help="The column with each row's class.", show_default=False
    ),
]
NumberOption = Annotated[
    str | None,
    typer.Option(
        "--number", metavar="COLUMN", help="The column with each row's number.", show_default=False
    ),
]
UserOption = Annotated[
    str | None,
    typer.Option("--user", metavar="COLUMN", help="The column with who chose.", show_default=False),
]
ItemOption = Annotated[
    str | None,
    typer.Option(
        "--item", metavar="COLUMN", help="The column with what was chosen.", show_default=False
    ),
]
AddedOutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="Write the table with what was found, in columns of its own: .csv, .jsonl or "
        ".parquet.",
        show_default=False,
    ),
]
OverwriteOutOption = Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")]


@dataclass(frozen=True)
class Asked:
    """What one command is about, as `Exploring.open` takes it, and where the answer goes. `adds`:
    the columns that --output adds."""

    table: Path
    column: str | None = None
    template: str | None = None
    sheet: str | None = None
    model: str | None = None
    prompt_name: str | None = None
    home: Path | None = None
    label: str | None = None
    number: str | None = None
    user: str | None = None
    item: str | None = None
    output: Path | None = None
    overwrite: bool = False
    json: bool = False
    adds: tuple[str, ...] = ()


@contextmanager
def opened(asked: Asked) -> Iterator["Explored"]:
    """The table with its vectors; says what was left out of it. Raises BadRequest, before anything
    is computed, for an output that cannot be written."""
    from tunewright.cli.opening import records
    from tunewright.tables.added import check_added, check_names

    if asked.output:
        check_added(asked.output, asked.table, overwrite=asked.overwrite)
    with ExitStack() as stack:
        tw = stack.enter_context(records(asked.home))
        name = tw.explore.model_for(asked.table, asked.model)
        if tw.explore.in_engine(name):
            stack.enter_context(tw)
        with progress("Embedding") as share:
            explored = tw.explore.open(
                asked.table,
                asked.column,
                template=asked.template,
                sheet=asked.sheet,
                model=asked.model,
                prompt_name=asked.prompt_name,
                label=asked.label,
                number=asked.number,
                user=asked.user,
                item=asked.item,
                progress=share,
            )
        check_names(explored.columns, asked.adds if asked.output else ())
        for said in explored.notes:
            note(said)
        note_left_out(explored.left_out)
        yield explored


@contextmanager
def progress(what: str) -> Iterator[Callable[[float], None]]:
    """Hears how much of something is done, 0 to 1, and shows it."""
    from tunewright.cli.verbs import bar

    with bar(left=True) as show:
        yield lambda share: show(what, share, 1.0, f"{share:.0%}")


@dataclass(frozen=True)
class Answer:
    """What a command found: a table for the terminal (`columns`, `rows`; a column that begins with
    ``>`` is flush right) below some sentences `said`; `wire`, for --json; `added`, for --output:
    columns with a value for each row that has a vector."""

    columns: Sequence[str]
    rows: Iterable[Sequence[object]]
    wire: Mapping[str, Any]
    added: Mapping[str, Sequence[Any]]
    said: Sequence[str] = ()


def give(asked: Asked, explored: "Explored", answer: Answer) -> None:
    if asked.output:
        explored.write(asked.output, answer.added)
        columns = ", ".join(answer.added)
        note(f"Written to {asked.output}, with: {columns}")
    if asked.json:
        return print_json(_of_table(explored) | rounded(dict(answer.wire)))
    for line in answer.said:
        say(line)
    if answer.columns:
        print_table(answer.columns, answer.rows)
    return None


def _of_table(explored: "Explored") -> dict[str, Any]:
    return {
        "table": explored.name,
        "rows": len(explored),
        "left_out": [{"line": line, "reason": why} for line, why in explored.left_out.items()],
        "model": explored.model,
        "fingerprint": explored.fingerprint,
        "notes": list(explored.notes),
    }


def rounded(value: Any) -> Any:
    """For JSON: numbers as many digits as are the same on every machine."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, Mapping):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return value


def beginning(text: str, most: int = SHOWN) -> str:
    """Of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
