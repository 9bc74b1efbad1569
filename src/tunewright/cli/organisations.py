"""Organisations of this home: each has keys, files, jobs and models of its own."""

from typing import Annotated

import typer

from tunewright.cli.terminal import HomeOption, JsonOption, moment, print_json, print_table, say

app = typer.Typer(
    no_args_is_help=True,
    help="Organisations: none of them sees the files, jobs or models of another.\n\n"
    "Example: tunewright organisations create acme",
)


@app.command()
def create(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="a-z, 0-9 and -; it becomes part of the names of tuned models."
        ),
    ],
    home: HomeOption = None,
) -> None:
    """Create an organisation and show its first key, an owner key. It is shown only this once.

    Example: tunewright organisations create acme
    """
    from tunewright.cli.opening import records
    from tunewright.records.keys import KeyRequest

    with records(home) as tw:
        owner = tw.access.create_organisation(name)
        say(tw.access.create_key(owner, KeyRequest(name="first key")).value)


@app.command("list")
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the organisations. Commands such as `files` and `jobs` act for the first one.

    Example: tunewright organisations list
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        found = tw.access.organisations()
    if json:
        return print_json([organisation.wire() for organisation in found])
    return print_table(
        ["id", "name", "created"], [(o.id, o.name, moment(o.created_at)) for o in found]
    )
