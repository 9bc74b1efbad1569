from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tunewright.cli.terminal import HomeOption, say, screen

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.dataset.checks import Check

_SHOWN = 20
_STYLES = {"problem": "red", "note": "yellow"}


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Training data, JSONL.")],
    model: Annotated[str, typer.Option(help="The base that it is for.")] = "gpt-3.5-turbo",
    validation_file: Annotated[
        Path | None, typer.Option("--validation", metavar="FILE", help="Held-out rows.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help=f"Show more than the first {_SHOWN} problems.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Check training data as a job would: every row, each problem with its line and a remedy.

    Example: tunewright check chats.jsonl --validation held-out.jsonl --model gpt-3.5-turbo
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        found = report(tw, file, model, everything=everything)
        errors = [found.error()]
        if validation_file:
            held_out = report(tw, validation_file, model, "validation_file", everything=everything)
            errors.append(held_out.error())
    for error in filter(None, errors):
        raise error
    create = f"tunewright jobs create --training-file {file} --follow"
    say(f"Fit to train {model} on. Next: {create}")


def report(
    tw: "Tunewright",
    path: Path,
    model: str,
    param: str = "training_file",
    *,
    everything: bool = False,
) -> "Check":
    """Check a file for the base `model` and print what was found."""
    from tunewright.dataset.checks import check as look
    from tunewright.errors import BadRequest

    if not path.is_file():
        raise BadRequest(f"There is no file {path}.", param=param)
    weights = tw.models.weights(model, ("chat", "completion"))
    renderer = tw.renderer(weights, tw.models)
    found = look(path, renderer, wants="chat" if renderer.is_chat else "completion", param=param)
    screen.print(Text(path.name, "bold"))
    _print(found.summary(), most=None if everything else _SHOWN)
    return found


def _print(lines: list[str], most: int | None) -> None:
    problems = [line for line in lines if line.startswith("problem:")]
    hidden = set(problems[most:]) if most else set()
    for line in lines:
        if line not in hidden:
            style = _STYLES.get(line.partition(":")[0], "")
            screen.print(Text(f"  {line}", style), soft_wrap=True)
    if hidden:
        say(f"  {len(problems) - (most or 0):,} more problems: --all shows them")
