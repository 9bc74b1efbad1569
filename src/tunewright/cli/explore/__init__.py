"""`tunewright explore`: the group; each part has a file of its own."""

from typing import Any

import typer
from typer.core import TyperGroup

from tunewright.cli.explore import (
    anomalies,
    classify,
    clusters,
    diversity,
    map,
    report,
    search,
    similar,
)


class _Group(TyperGroup):
    """What is no command is a TABLE: `explore TABLE ...` stands for `explore report TABLE ...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        first = args[0] if args else "--help"
        if first not in self.commands and first not in ("-h", "--help"):
            args = ["report", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    help="What embeddings are for, of a table of texts: all of it as one report, or a part.\n\n"
    "Example: tunewright explore reviews.csv --column text --number stars -o report.html",
)
app.command()(report.report)
app.command()(search.search)
app.command()(similar.similar)
app.command()(clusters.clusters)
app.command()(map.map)
app.command()(anomalies.anomalies)
app.command()(diversity.diversity)
app.command()(classify.classify)
app.command()(classify.predict)
