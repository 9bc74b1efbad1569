from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tunewright.cli.exploring import (
    AddedOutputOption,
    Answer,
    Asked,
    EmbeddingModelOption,
    OverwriteOutOption,
    TableArgument,
    beginning,
    give,
    opened,
)
from tunewright.cli.table_options import (
    ColumnOption,
    PromptNameOption,
    SheetOption,
    TemplateOption,
)
from tunewright.cli.terminal import HomeOption, JsonOption

if TYPE_CHECKING:
    from tunewright.resources.explored import Hit

_QueryArgument = Annotated[str, typer.Argument(metavar="QUERY", help="What to look for.")]
_TopOption = Annotated[int, typer.Option(min=1, help="How many rows to show.")]


def search(
    table: TableArgument,
    query: _QueryArgument,
    column: ColumnOption = None,
    top: _TopOption = 10,
    output: AddedOutputOption = None,
    overwrite: OverwriteOutOption = False,
    template: TemplateOption = None,
    sheet: SheetOption = None,
    model: EmbeddingModelOption = None,
    prompt_name: PromptNameOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Find the rows that say what a query says.

    Example: tunewright explore search reviews.csv 'arrived broken' --column text --top 5
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
        adds=("similarity", "rank"),
    )
    with opened(asked) as explored:
        hits = explored.search(query, top=len(explored) if output else top)
        found = [
            {
                "line": explored.lines[hit.row],
                "similarity": hit.score,
                "text": explored.texts[hit.row],
            }
            for hit in hits[:top]
        ]
        answer = Answer(
            columns=[">similarity", ">line", "text"],
            rows=[
                (f"{hit['similarity']:.3f}", hit["line"], beginning(hit["text"])) for hit in found
            ],
            wire={"query": query, "data": found},
            added=_added(len(explored), hits),
        )
        give(asked, explored, answer)


def _added(rows: int, hits: Sequence["Hit"]) -> dict[str, list[float | None]]:
    scores: dict[int, float] = {hit.row: round(hit.score, 6) for hit in hits}
    ranks: dict[int, float] = {hit.row: at for at, hit in enumerate(hits, start=1)}
    return {
        "similarity": [scores.get(row) for row in range(rows)],
        "rank": [ranks.get(row) for row in range(rows)],
    }
