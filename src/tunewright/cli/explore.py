"""`tunewright explore`: the group; each part has a file of its own."""

from typing import Any

import typer
from typer.core import TyperGroup

from tunewright.cli import (
    explore_anomalies,
    explore_classify,
    explore_clusters,
    explore_diversity,
    explore_map,
    explore_report,
    explore_search,
    explore_similar,
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
app.command()(explore_report.report)
app.command()(explore_search.search)
app.command()(explore_similar.similar)
app.command()(explore_clusters.clusters)
app.command()(explore_map.map)
app.command()(explore_anomalies.anomalies)
app.command()(explore_diversity.diversity)
app.command()(explore_classify.classify)
app.command()(explore_classify.predict)
