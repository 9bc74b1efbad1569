"""Tables that the worker embeds: `tunewright embed --queue` puts them there."""

from typing import TYPE_CHECKING, Annotated

import typer

from tunewright.cli.terminal import (
    HomeOption,
    JsonOption,
    LimitOption,
    moment,
    print_json,
    print_table,
    say,
)
from tunewright.cli.verbs import change_record, following, list_records, must_be

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.records.tables import QueuedTable

app = typer.Typer(
    no_args_is_help=True,
    help="Tables that are embedded while nobody waits.\n\n"
    "Example: tunewright embed --file reviews.csv --output reviews.parquet --queue",
)
TableId = Annotated[
    str, typer.Argument(metavar="TABLE-ID", help="As `embed --queue` and `tables list` show it.")
]
_COLUMNS = ["id", "status", ">read", ">texts", "output", "created"]


@app.command("list")
def list_(home: HomeOption = None, limit: LimitOption = 20, json: JsonOption = False) -> None:
    """List tables, newest first.

    Example: tunewright tables list --limit 10
    """
    list_records(home, lambda tw: tw.tables.list(limit=limit), _COLUMNS, _row, json=json)


def _row(_: "Tunewright", table: "QueuedTable") -> tuple[object, ...]:
    progress = table.progress
    share = 1.0 if progress.writing or table.status == "succeeded" else progress.share
    texts = table.result.embedded if table.result else progress.embedded
    made = moment(table.created_at)
    return table.id, table.status, f"{share:.0%}", f"{texts:,}", table.output, made


@app.command()
def show(id: TableId, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show one table, with what happened to it.

    Example: tunewright tables show table-Ab12...
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        table = tw.tables.retrieve(id)
        events = tw.tables.events(id, limit=100).data
        row = _row(tw, table)
    if json:
        return print_json(table.wire())
    print_table(_COLUMNS, [row])
    for event in reversed(events):
        say(f"{moment(event.created_at)}  {event.message}")
    return None


@app.command()
def cancel(id: TableId, home: HomeOption = None, json: JsonOption = False) -> None:
    """Stop a table. What was computed is kept beside the output, for the same command.

    Example: tunewright tables cancel table-Ab12...
    """
    change_record(home, lambda tw: tw.tables.cancel(id), json=json)


@app.command()
def follow(id: TableId, home: HomeOption = None, json: JsonOption = False) -> None:
    """Watch a table until it has ended. Where no server runs, it is embedded here.

    Exit status 1 where it did not succeed.

    Example: tunewright tables follow table-Ab12...
    """
    from tunewright.records.tables import OPEN

    with following(home, lambda tw: tw.tables.retrieve(id), OPEN) as tw:
        watch(tw, id, json=json)


def watch(tw: "Tunewright", id: str, *, json: bool) -> None:
    from tunewright.cli import embed_table

    table = tw.tables.retrieve(id)
    with embed_table.shown() as show_progress:
        for table in tw.tables.follow(id):
            show_progress(table.progress)
    if json:
        print_json(table.wire())
    elif table.result:
        embed_table.report(table.result)
    must_be("succeeded", table)
