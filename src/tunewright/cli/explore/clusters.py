from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tunewright.cli.explore.parts import (
    AddedOutputOption,
    Answer,
    Asked,
    EmbeddingModelOption,
    OverwriteOutOption,
    TableArgument,
    beginning,
    give,
    opened,
    progress,
)
from tunewright.cli.table_options import (
    ColumnOption,
    PromptNameOption,
    SheetOption,
    TemplateOption,
)
from tunewright.cli.terminal import HomeOption, JsonOption

if TYPE_CHECKING:
    from tunewright.analysis.clusters import Cluster, Clusters
    from tunewright.resources.explored import Explored

_CENTRAL = 3  # texts of a cluster in JSON; the first of them in the terminal
_TEXT = 80

_NumberOption = Annotated[
    int | None,
    typer.Option(
        "--k",
        min=1,
        help="How many clusters. Not given: the number with the best silhouette.",
        show_default=False,
    ),
]
_MethodOption = Annotated[
    Literal["k-means", "hdbscan"],
    typer.Option(
        help="k-means puts every row in a cluster; hdbscan leaves rows that lie alone as noise."
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Another one draws and begins otherwise.")]


def clusters(
    table: TableArgument,
    column: ColumnOption = None,
    k: _NumberOption = None,
    method: _MethodOption = "k-means",
    seed: SeedOption = 0,
    output: AddedOutputOption = None,
    overwrite: OverwriteOutOption = False,
    template: TemplateOption = None,
    sheet: SheetOption = None,
    model: EmbeddingModelOption = None,
    prompt_name: PromptNameOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Group rows that are alike, name the groups, and tell which of them are found again.

    Example: tunewright explore clusters reviews.csv --column text -o grouped.csv
    """
    asked = Asked(
        table,
        column,
        template,
        sheet,
        model,
        prompt_name,
        home,
        output=output,
        overwrite=overwrite,
        json=json,
        adds=("cluster", "cluster_name"),
    )
    with opened(asked) as explored:
        with progress("Clustering") as share:
            found = explored.clusters(k=k, method=method, seed=seed, progress=share)
        answer = Answer(
            columns=[">cluster", "name", ">rows", ">share", "stable", "most central text"],
            rows=_rows(explored, found),
            wire=_wire(explored, found),
            added=_added(found),
            said=[*_said(found), ""],
        )
        give(asked, explored, answer)


def _said(found: "Clusters") -> list[str]:
    rows, number = len(found.of), len(found.all)
    said = [f"{rows:,} rows in {number} {'cluster' if number == 1 else 'clusters'}."]
    if found.tried:
        last = found.tried[-1][0]
        said[0] = f"{said[0][:-1]}: of 2 to {last}, the number with the best silhouette."
    if found.silhouette is not None:
        said.append(
            f"Silhouette {found.silhouette:.2f} (1: far apart, 0: they run into each other); of "
            f"rows without groups it would be up to {found.chance or 0:.2f}."
        )
    if found.sample:
        said.append(
            f"The number of clusters, silhouette and stability are of {found.sample:,} rows, drawn "
            "at random."
        )
    if found.fitted:
        said.append(
            f"HDBSCAN clustered {found.fitted:,} rows, drawn at random; each other row is where "
            "the nearest of these is."
        )
    stable = sum(cluster.stable for cluster in found.all)
    if any(cluster.stability for cluster in found.all):
        said.append(
            f"{stable} of {number} stable: found again in other draws of the rows (mean Jaccard "
            "index of 0.8 or more), and farther apart than clusters of rows without groups."
        )
    return said


def _rows(explored: "Explored", found: "Clusters") -> Iterator[tuple[object, ...]]:
    for cluster in found.all:
        yield (
            cluster.number,
            cluster.name,
            f"{len(cluster.rows):,}",
            f"{len(cluster.rows) / len(found.of):.1%}",
            _stability(cluster),
            beginning(explored.texts[int(cluster.rows[0])], _TEXT),
        )
    if len(found.noise):
        yield -1, "(noise)", f"{len(found.noise):,}", f"{found.noise_share:.1%}", "", ""


def _stability(cluster: "Cluster") -> str:
    """Whether it is stable, and how much of it is found again."""
    from tunewright.analysis.stability import STABLE

    of = cluster.stability
    if of is None:
        return ""
    found = "yes" if cluster.stable else "no" if of.value < STABLE else "no, not apart"
    return f"{found}: {of.value:.2f} ({of.low:.2f} to {of.high:.2f})"


def _wire(explored: "Explored", found: "Clusters") -> dict[str, Any]:
    return {
        "method": found.method,
        "silhouette": found.silhouette,
        "silhouette_by_chance": found.chance,
        "tried": [{"k": k, "silhouette": score} for k, score in found.tried],
        "sample": found.sample,
        "fitted": found.fitted,
        "noise": {"rows": len(found.noise), "share": found.noise_share},
        "data": [
            {
                "cluster": cluster.number,
                "name": cluster.name,
                "terms": cluster.terms,
                "rows": len(cluster.rows),
                "share": len(cluster.rows) / len(found.of),
                "stable": cluster.stable,
                "stability": _interval(cluster),
                "silhouette": cluster.silhouette,
                "central": [
                    {"line": explored.lines[row], "text": explored.texts[row]}
                    for row in cluster.rows[:_CENTRAL].tolist()
                ],
            }
            for cluster in found.all
        ],
    }


def _interval(cluster: "Cluster") -> dict[str, float] | None:
    of = cluster.stability
    return {"value": of.value, "low": of.low, "high": of.high} if of else None


def _added(found: "Clusters") -> dict[str, list[Any]]:
    numbers = found.of.tolist()
    names = {cluster.number: cluster.name for cluster in found.all}
    return {"cluster": numbers, "cluster_name": [names.get(number) for number in numbers]}
