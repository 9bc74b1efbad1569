"""Every command of `tunewright`, in the order of the story."""

from typing import Annotated

import typer

from tunewright import __version__
from tunewright.cli import (
    batches,
    chat,
    check,
    collections,
    data,
    demo,
    embed,
    explore,
    export,
    files,
    imports,
    jobs,
    keys,
    models,
    organisations,
    serve,
    store_upkeep,
    tables,
    tokens,
    vector_copies,
    vectors,
)
from tunewright.cli.options import accept_earlier_names

app = typer.Typer(
    name="tunewright",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tunewright {__version__}")
        raise typer.Exit


@app.callback()
def tunewright(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """OpenAI's fine-tuning and embeddings API, on your own machine.

    First `tunewright demo` (two minutes, no network), then `tunewright serve`.

    Example: tunewright demo
    """


app.command()(demo.demo)
app.command()(serve.serve)
app.command()(check.check)
app.add_typer(data.app, name="data")
app.command()(tokens.tokens)
app.add_typer(files.app, name="files")
app.add_typer(jobs.app, name="jobs")
app.add_typer(models.app, name="models")
app.command()(export.export)
app.command()(chat.chat)
app.command()(embed.embed)
app.add_typer(explore.app, name="explore")
app.add_typer(tables.app, name="tables")
vectors.app.command()(store_upkeep.verify)
vectors.app.command()(store_upkeep.reembed)
vectors.app.command()(collections.count)
vectors.app.command()(vector_copies.copy)
app.add_typer(vectors.app, name="vectors")
app.add_typer(batches.app, name="batches")
app.add_typer(imports.app, name="import")
app.add_typer(organisations.app, name="organisations")
app.add_typer(keys.app, name="keys")
accept_earlier_names(app)
