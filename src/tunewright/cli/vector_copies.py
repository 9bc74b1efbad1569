"""`tunewright vectors copy`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunewright.cli import collections
from tunewright.cli.terminal import HomeOption, JsonOption, notes, print_json, say
from tunewright.cli.verbs import bar
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.vectors.copying import Copied, Source

_STORE = "store:"


def copy(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            help="PLACE#COLLECTION, such as chroma:DIR#reviews; a file with vectors: .parquet, "
            ".jsonl, .csv; or store:STORE, the chunks of a vector store.",
            show_default=False,
        ),
    ],
    destination: Annotated[
        str,
        typer.Argument(
            metavar="DST",
            help="PLACE#COLLECTION, or PLACE for a collection that is called as SRC's; or a file "
            "that ends in .parquet.",
            show_default=False,
        ),
    ],
    where: collections.WhereOption = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC",
            help="cosine, dot or euclidean: of a source that does not tell, such as a file. Not "
            "given: cosine.",
            show_default=False,
        ),
    ] = None,
    id: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="COLUMN",
            help="Of a file, the column with the ids. Not given: `id`, else rows are numbered.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What the attribute with the text is called: of chunks of a store, and of rows "
            "that LangChain or another program wrote.",
        ),
    ] = "text",
    number: collections.NumberOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Copy a collection of vectors between two places: the embedded index, databases, Parquet.

    Ids, vectors, attributes, dimensions and metric are kept. What DST cannot hold is told before
    the first write; at the end each row is compared. Stopped at any moment, the same command goes
    on. Places are those of docs/databases.md; chroma:, qdrant: and postgresql:// collections that
    LangChain wrote can be copied from.

    Example: tunewright vectors copy chroma:./db#reviews ./vectors --where 'stars>=4'
    """
    from tunewright.cli.attributes import filters
    from tunewright.errors import BadRequest
    from tunewright.vectors import copying

    if metric not in (None, "cosine", "dot", "euclidean"):
        raise BadRequest(f"There is no metric '{metric}'. Known: cosine, dot, euclidean.")

    def told(what: str, done: int, total: int) -> None:
        show(what, done, total, f"{done:,}/{total:,} rows")

    with _source(source, text, home) as origin, bar(left=True) as show:
        try:
            done = copying.copy(
                origin,
                destination,
                where=filters(where or []),
                metric=metric,
                id=id,
                text=text,
                numbers=number or (),
                home=home,
                progress=told,
            )
        except KeyboardInterrupt:
            notes.print("Stopped. The same command goes on from here.", markup=False)
            raise typer.Exit(130) from None
    if json:
        return print_json(_wire(done))
    return _report(done)


@contextmanager
def _source(given: str, text: str, home: Path | None) -> "Iterator[str | Source]":
    """A place; or, of ``store:STORE``, the chunks of a vector store of the home."""
    if not given.startswith(_STORE):
        yield given
        return
    from tunewright.cli.opening import records
    from tunewright.cli.vectors import found

    with records(home) as tw:
        yield tw.vector_stores.rows(found(tw, given.removeprefix(_STORE)).id, text=text)


def _wire(done: "Copied") -> dict[str, Any]:
    near = done.neighbours
    return {
        "object": "vectors.copy",
        "source": done.source,
        "destination": done.destination,
        "rows": done.rows,
        "dimensions": done.dimensions,
        "metric": done.metric,
        "rows_before": done.resumed,
        "verified": True,
        "neighbours": near and {"queries": near.queries, "k": near.k, "share": near.share},
        "notes": list(done.notes),
    }


def _report(done: "Copied") -> None:
    before = f", {done.resumed:,} of them by an earlier run" if done.resumed else ""
    say(
        f"{done.destination} has {counted(done.rows, 'row')} of {done.source}{before}: "
        f"{done.dimensions} dimensions, {done.metric}. Each was read back and compared."
    )
    if near := done.neighbours:
        say(
            f"Of {counted(near.queries, 'row')}, a search there finds {near.share:.1%} of the "
            f"{counted(near.k, 'nearest other', 'nearest others')}."
        )
    for note in done.notes:
        notes.print(note, markup=False, soft_wrap=True)
