"""Bases, aliases and tuned models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tunewright.cli import bases
from tunewright.cli.terminal import (
    HomeOption,
    JsonOption,
    complain,
    moment,
    notes,
    print_json,
    print_table,
    say,
)
from tunewright.suggestions import command
from tunewright.wording import counted, of

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.records.verifications import Verification
    from tunewright.resources.verifications import Verifications

LOOK_SECONDS = 0.2

app = typer.Typer(
    no_args_is_help=True,
    help="Bases and tuned models.\n\nExample: tunewright models add smollm2-135m",
)
app.command()(bases.add)
app.command()(bases.search)
app.command()(bases.show)


@app.command("list")
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """List bases, aliases of OpenAI's names, and tuned models.

    Example: tunewright models list
    """
    from tunewright import builtin
    from tunewright.cli.opening import records

    with records(home) as tw:
        page = tw.models.list()
        rows = [
            (m.id, tw.models.real_name(m.id), tw.models.base(m.id), m.owned_by, moment(m.created))
            for m in page.data
        ]
    if json:
        return print_json(page.wire())
    print_table(
        ["model", "stands for", "base", "owned by", "created"],
        [(id, real if real != id else None, base, *more) for id, real, base, *more in rows],
    )
    for name in dict.fromkeys(base for id, _, base, *_ in rows if id != base):
        if name and (about := builtin.remark(name)):
            notes.print(Text(f"{name} is {about}.", "yellow"), soft_wrap=True)
    return None


@app.command()
def delete(
    name: Annotated[
        str, typer.Argument(metavar="MODEL", help="A tuned model, or a base that was added.")
    ],
    force: Annotated[
        bool,
        typer.Option("--force", help="Delete it even if aliases in settings.toml stand for it."),
    ] = False,
    home: HomeOption = None,
) -> None:
    """Delete a tuned model, or a base that was added.

    Example: tunewright models delete ft:gpt-3.5-turbo:personal:sarcastic:1a2b3c4d
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        if not force:
            _refuse_in_use(tw, name, home)
        _delete(tw, name)
    say(f"Deleted {name}.")


@app.command()
def verify(home: HomeOption = None, json: JsonOption = False) -> None:
    """Check that no file of a model or base has changed since it was written.

    The exit status is 1 if one has.

    Example: tunewright models verify
    """
    from tunewright.cli.opening import running

    with running(home) as tw:
        found = _verified(tw.verifications)
    if json:
        print_json(found.wire())
    elif found.damaged:
        print_table(["model", "what is wrong"], [(d.model, d.problem) for d in found.damaged])
        say("Restore these files from a backup, or delete the models and train them again.")
    elif not found.error:
        say(f"The files of {counted(found.models, 'model')} are as they were written.")
    if found.error:
        complain(found.error)
    if found.damaged or found.error:
        raise typer.Exit(1)


def _verified(verifications: "Verifications") -> "Verification":
    """Whole files are read: gigabytes take minutes."""
    import time

    from rich.progress import Progress

    made = verifications.create()
    with Progress(console=notes, transient=True) as progress:
        bar = progress.add_task("Reading", total=None)
        while made.status in ("queued", "running"):
            time.sleep(LOOK_SECONDS)
            made = verifications.retrieve(made.id)
            progress.update(bar, total=made.models or None, completed=made.checked)
    return made


def _refuse_in_use(tw: "Tunewright", name: str, home: Path | None) -> None:
    from tunewright.errors import BadRequest

    names = [alias for alias, model in tw.settings.aliases.items() if model == name]
    if names:
        file = tw.home.root / "settings.toml"
        raise BadRequest(
            f"{', '.join(names)} {of(len(names), 'stands', 'stand')} for {name} in {file} and "
            "would find no model any more. Change the file first, or delete the model anyway: "
            f"{command('models', 'delete', name, force=True, home=home)}",
            param="model",
        )


def _delete(tw: "Tunewright", name: str) -> None:
    """A tuned model is the organisation's; a base is the operator's, who this is."""
    from tunewright.errors import Forbidden

    try:
        tw.models.delete(name)
        if not tw.processes.others_running():  # else the server's worker waits for running answers
            tw.acting(tw.owner).removals.carry_out_all()
    except Forbidden:
        tw.bases.delete(name)
