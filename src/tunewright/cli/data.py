"""Training data before it is a file of a job."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from tunewright.cli.check import ModelOption
from tunewright.cli.plain import plain
from tunewright.cli.prepare import prepare
from tunewright.cli.terminal import HomeOption, print_json, say, screen
from tunewright.suggestions import DEFAULT_MODEL
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.rendering import Renderer, Row

app = typer.Typer(
    no_args_is_help=True,
    help="Make training data from a table, and look at its tokens.\n\n"
    + "Example: tunewright data render chats.jsonl --line 3",
)
app.command()(prepare)
_LEARNED, _CONTEXT, _CONTROL = "bold green", "", "magenta"


@app.command()
def render(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Training data, JSONL.")],
    line: Annotated[int, typer.Option(help="Which line; the first is 1.", min=1)] = 1,
    model: ModelOption = DEFAULT_MODEL,
    home: HomeOption = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON: each token with its id.")
    ] = False,
) -> None:
    """Show the tokens that training makes of a row, and which of them are supervised (trained on).

    Example: tunewright data render chats.jsonl --line 3 --model gpt-3.5-turbo
    """
    from tunewright.cli.opening import records
    from tunewright.dataset.reasoning import for_rows

    with records(home) as tw:
        renderer, form = tw.checking.renderer(model)
        if file.is_file():
            renderer = for_rows(file, renderer)
        whole = _rows(file, line, renderer, form)
    if json:
        rows = [_wire(row, renderer) for row in whole]
        return print_json({"line": line, "model": model, "context": renderer.context, "rows": rows})
    for number, row in enumerate(whole, 1):
        _print(row, renderer, f"answer {number} of {len(whole)}")
    if not whole:
        say(f"line {line} has no answer to train on")
    return None


def _rows(file: Path, number: int, renderer: "Renderer", form: Any) -> "list[Row]":
    """What training makes of a line. Raises BadRequest where it is bad or not there."""
    from tunewright.dataset.checks import row_of
    from tunewright.errors import BadRequest

    if not file.is_file():
        raise BadRequest(f"There is no file {file}.")
    return list(renderer.whole_rows(row_of(file, number, form), number))


def _wire(row: "Row", renderer: "Renderer") -> list[dict[str, Any]]:
    """A token may be a part of a character: its text then holds U+FFFD."""
    ids = [*row.prompt, *row.answer]
    return [
        {"id": id, "text": renderer.pieces.text([id]), "supervised": at >= len(row.prompt)}
        for at, id in enumerate(ids)
    ]


def _print(row: "Row", renderer: "Renderer", title: str) -> None:
    tokens = f"{counted(len(row.prompt), 'token')} of context, {len(row.answer):,} supervised"
    screen.print(Text(f"{title}: {tokens}", "bold"))
    over = len(row.prompt) + len(row.answer) - renderer.context
    if over > 0:
        say(f"{counted(over, 'token')} more than the {renderer.context:,} that the model can read")
    for name, ids, style in (
        ("context", row.prompt, _CONTEXT),
        ("supervised", row.answer, _LEARNED),
    ):
        say(f"-- {name} --")  # without colours too, it must be plain what is supervised
        screen.print(_coloured(ids, renderer, style), soft_wrap=True)


def _coloured(ids: list[int], renderer: "Renderer", style: str) -> Text:
    """The text of the tokens, special ones in a colour of their own; each is underlined or not in
    turn, so that one sees where they end."""
    said, pending = Text(), list[int]()
    for at, id in enumerate(ids):
        pending.append(id)
        piece = renderer.pieces.text(pending)
        if piece.endswith("\ufffd") and at + 1 < len(ids) and len(pending) < 8:
            continue  # a part of a character
        shade = _CONTROL if renderer.pieces.is_special(id) else style
        said.append(plain(piece), f"{shade} underline" if at % 2 else shade or None)
        pending = []
    return said
