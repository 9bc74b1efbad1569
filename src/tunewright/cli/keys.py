"""API keys of this home."""

from typing import TYPE_CHECKING, Annotated

import typer

from tunewright.cli.terminal import HomeOption, JsonOption, moment, print_json, print_table, say

if TYPE_CHECKING:
    from tunewright.access import Caller
    from tunewright.app import Tunewright

app = typer.Typer(
    no_args_is_help=True,
    help="API keys.\n\nExample: tunewright keys create laptop",
)


@app.command()
def create(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A name by which you will know it in the list.")
    ] = "key",
    organisation: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The organisation that the key is for. Not given: the first one."
        ),
    ] = None,
    role: Annotated[
        str,
        typer.Option(help="owner, or member, who can neither delete models nor manage keys."),
    ] = "owner",
    home: HomeOption = None,
) -> None:
    """Create a key and show it. It is shown only this once.

    Example: tunewright keys create laptop --role member
    """
    from tunewright.cli.opening import records
    from tunewright.records.keys import KeyRequest

    with records(home) as tw:
        request: KeyRequest = KeyRequest.parse({"name": name, "role": role})
        say(tw.access.create_key(_caller(tw, organisation) or tw.owner, request).value)


@app.command("list")
def list_(
    organisation: Annotated[
        str | None, typer.Option(metavar="NAME", help="Show only the keys of this organisation.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List the keys of all organisations, masked, the revoked ones too.

    Example: tunewright keys list --organisation acme
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        keys = tw.access.keys(_caller(tw, organisation))
    if json:
        return print_json([{**key.wire(), "revoked_at": key.revoked_at} for key in keys])
    return print_table(
        ["id", "organisation", "key", "name", "role", "created", "revoked"],
        [
            (
                k.id,
                k.owner.name,
                k.redacted_value,
                k.name,
                k.role,
                moment(k.created_at),
                moment(k.revoked_at),
            )
            for k in keys
        ],
    )


@app.command()
def revoke(
    id: Annotated[str, typer.Argument(metavar="KEY-ID", help="As `keys list` shows it.")],
    organisation: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Refuse if the key is not of this organisation."),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Revoke a key, at once and for good.

    Example: tunewright keys revoke key-Ab12...
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        caller = _caller(tw, organisation)
        if caller:
            tw.access.key(caller, id)
        tw.access.revoke_key(id)
    say(f"Revoked {id}.")


def _caller(tw: "Tunewright", organisation: str | None) -> "Caller | None":
    return tw.access.organisation(organisation) if organisation else None
