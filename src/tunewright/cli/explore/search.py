from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    rounded,
)
from tunewright.cli.explore.search_options import (
    FilterOption,
    IndexOption,
    MethodOption,
    MetricOption,
    TopOption,
    VarietyOption,
)
from tunewright.cli.table_options import (
    ColumnOption,
    PromptNameOption,
    SheetOption,
    TemplateOption,
)
from tunewright.cli.terminal import HomeOption, JsonOption, note, print_json, print_table

if TYPE_CHECKING:
    from tunewright.analysis.search import Hit
    from tunewright.resources.explored import Explored

_QueryArgument = Annotated[str, typer.Argument(metavar="QUERY", help="What to look for.")]


def search(
    table: TableArgument,
    query: _QueryArgument,
    column: ColumnOption = None,
    top: TopOption = 10,
    method: MethodOption = None,
    filter: FilterOption = None,
    metric: MetricOption = None,
    variety: VarietyOption = 0.0,
    index: IndexOption = None,
    output: AddedOutputOption = None,
    overwrite: OverwriteOutOption = False,
    template: TemplateOption = None,
    sheet: SheetOption = None,
    model: EmbeddingModelOption = None,
    prompt_name: PromptNameOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Find the rows that say what a query says: by meaning and words together.

    Example: tunewright explore search reviews.csv 'arrived broken' --column text --top 5
    """
    from tunewright.cli.attributes import filters

    where = filters(filter or [])
    if index is not None:
        options = {
            "column": column,
            "method": method if method != "vectors" else None,
            "metric": metric,
            "variety": variety,
            "output": output,
            "template": template,
            "sheet": sheet,
            "prompt_name": prompt_name,
        }
        _alone(options)
        return _in_index(index, str(table), query, top, where, model, home, json=json)
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
        adds=("score", "rank"),
    )
    with opened(asked) as explored:
        with progress("Searching") as share:
            hits = explored.search(
                query,
                top=len(explored) if output else top,
                method=method or "hybrid",
                metric=metric or "cosine",
                where=where,
                variety=variety,
                progress=share,
            )
        if not hits:
            note(_nothing(words=method == "words", filtered=where is not None))
        return give(asked, explored, _answer(explored, query, hits, top))


def _nothing(*, words: bool, filtered: bool) -> str:
    of = "No row that matches the filter" if filtered else "No row"
    return f"{of} has a word of the query." if words else "No row matches the filter."


def _alone(options: Mapping[str, object]) -> None:
    """Raises BadRequest for an option that says nothing of an index."""
    from tunewright.errors import BadRequest

    if given := [name for name, value in options.items() if value]:
        name = f"--{given[0].replace('_', '-')}"
        raise BadRequest(
            f"{name} is for tables: a collection of an index is searched by its vectors, with its "
            f"own metric. Leave {name} out, or leave --index out.",
            param=given[0],
        )


def _in_index(
    url: str,
    collection: str,
    query: str,
    top: int,
    where: Mapping[str, Any] | None,
    model: str | None,
    home: Path | None,
    *,
    json: bool,
) -> None:
    from tunewright.cli.opening import records

    with ExitStack() as stack:
        tw = stack.enter_context(records(home))
        if model and tw.explore.in_engine(model):
            stack.enter_context(tw)
        hits = tw.explore.search_index(url, collection, query, top=top, where=where, model=model)
    if json:
        found = [
            {"id": hit.id, "score": hit.score, "attributes": dict(hit.attributes)} for hit in hits
        ]
        return print_json(rounded({"collection": collection, "query": query, "data": found}))
    rows = [(f"{hit.score:.3f}", hit.id, _shown(hit.attributes)) for hit in hits]
    return print_table([">score", "id", "attributes"], rows)


def _shown(attributes: Mapping[str, Any]) -> str:
    return beginning(", ".join(f"{name}={value}" for name, value in attributes.items()))


def _answer(explored: "Explored", query: str, hits: Sequence["Hit"], top: int) -> Answer:
    found: list[Mapping[str, Any]] = [
        {
            "line": explored.lines[hit.row],
            "score": hit.score,
            "similarity": hit.similarity,
            "words": hit.words,
            "text": explored.texts[hit.row],
        }
        for hit in hits[:top]
    ]
    shown = [name for name in ("similarity", "words") if found and found[0][name] is not None]
    columns = ["score", *shown] if len(shown) > 1 else shown or ["score"]
    return Answer(
        columns=[*(f">{name}" for name in columns), ">line", "text"],
        rows=[
            (*(f"{hit[name]:.3f}" for name in columns), hit["line"], beginning(hit["text"]))
            for hit in found
        ],
        wire={"query": query, "data": found},
        added=added(len(explored), [(hit.row, hit.score) for hit in hits]),
    )


def added(rows: int, found: Sequence[tuple[int, float]]) -> dict[str, list[float | None]]:
    """(row, score), best first -> the columns `score` and `rank` [rows]."""
    scores: dict[int, float] = {row: round(score, 6) for row, score in found}
    ranks: dict[int, float] = {row: at for at, (row, _) in enumerate(found, start=1)}
    return {
        "score": [scores.get(row) for row in range(rows)],
        "rank": [ranks.get(row) for row in range(rows)],
    }
