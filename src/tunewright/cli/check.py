from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tunewright.cli.terminal import HomeOption, say, screen

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.dataset.checks import Check

_SHOWN = 20
_STYLES = {"error": "red", "warning": "yellow", "advice": "cyan"}


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Training data, JSONL.")],
    base: Annotated[
        str, typer.Option("--base", metavar="MODEL", help="The base that it is for.")
    ] = "gpt-3.5-turbo",
    validation_file: Annotated[
        Path | None, typer.Option("--validation", metavar="FILE", help="Held-out rows.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help=f"Show more than the first {_SHOWN} errors.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Check training data as a job would: every row, each problem with its line and a remedy.

    Example: tunewright check chats.jsonl --validation held-out.jsonl --base gpt-3.5-turbo
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        found = report(tw, file, base, everything=everything)
        errors = [found.error()]
        if validation_file:
            held_out = report(tw, validation_file, base, "validation_file", everything=everything)
            errors.append(held_out.error())
    for error in filter(None, errors):
        raise error
    create = f"tunewright jobs create --training-file {file} --follow"
    say(f"Fit to train {base} on. Next: {create}")


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
    wants = "chat" if renderer.is_chat else "completion"
    cut = tw.settings.long_examples == "cut"
    found = look(path, renderer, wants=wants, param=param, cut=cut)
    screen.print(Text(path.name, "bold"))
    for line in _summary(found):
        say(f"  {line}")
    _print(found, most=None if everything else _SHOWN)
    return found


def _summary(found: "Check") -> list[str]:
    said = [
        f"{found.rows:,} rows: {found.examples:,} fine, {found.bad:,} bad, {found.blank:,} blank",
        f"{sum(found.example_tokens):,} tokens, of which {found.supervised_tokens:,} to learn",
        f"tokens per example: {found.tokens}",
    ]
    if found.param == "training_file":
        trained = f"{found.trained_tokens():,} tokens trained"
        said.append(f"{found.epochs} epochs by default: {trained}")
    return said


def _print(found: "Check", most: int | None) -> None:
    findings, hidden = found.first(most or len(found.findings))
    for finding in findings:
        said = Text(f"  {finding.severity}: {finding}", _STYLES[finding.severity])
        screen.print(said, soft_wrap=True)
    if hidden:
        say(f"  {hidden:,} more errors" + (": --all shows them" if most else ""))
