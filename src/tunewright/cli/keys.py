"""API keys of this home."""

from typing import Annotated

import typer

from tunewright.cli.terminal import HomeOption, JsonOption, moment, print_json, print_table, say

app = typer.Typer(
    no_args_is_help=True,
    help="API keys.\n\nExample: tunewright keys create laptop",
)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for, for the list.")] = "key",
    home: HomeOption = None,
) -> None:
    """Make a key and show it, this once.

    Example: tunewright keys create laptop
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        say(tw.access.create_key(tw.owner, name))


@app.command("list")
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """Show the keys, masked, with those that were revoked.

    Example: tunewright keys list
    """
    from dataclasses import asdict

    from tunewright.cli.opening import records

    with records(home) as tw:
        keys = tw.access.keys(tw.owner)
    if json:
        return print_json([asdict(key) for key in keys])
    return print_table(
        ["id", "key", "name", "role", "created", "revoked"],
        [(k.id, k.hint, k.name, k.role, moment(k.created_at), moment(k.revoked_at)) for k in keys],
    )


@app.command()
def revoke(
    id: Annotated[str, typer.Argument(metavar="KEY-ID")],
    home: HomeOption = None,
) -> None:
    """Make a key useless, at once and for good.

    Example: tunewright keys revoke key-Ab12...
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        tw.access.revoke_key(tw.owner, id)
    say(f"Revoked {id}.")
