"""Vector stores: files whose text is found by its meaning."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from tunewright.cli import adding_rows, collections
from tunewright.cli.plain import line
from tunewright.cli.terminal import (
    HomeOption,
    JsonOption,
    LimitOption,
    moment,
    notes,
    print_json,
    program,
    say,
    screen,
    size_of,
)
from tunewright.cli.verbs import list_records
from tunewright.errors import BadRequest
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.records.vector_store_files import VectorStoreFile
    from tunewright.records.vector_store_search import SearchResult
    from tunewright.records.vector_stores import VectorStore

MODEL = "text-embedding-ada-002"  # as of `tunewright embed`
app = typer.Typer(
    no_args_is_help=True,
    help="Vector stores: the text of files is cut into chunks, embedded, and found by its "
    "meaning.\n\n"
    "STORE is the id of a store, such as vs_Ab12..., or its name where only one has it; with "
    "--index PLACE the name of a collection there.\n\n"
    "Example: tunewright vectors create handbook",
)
StoreArgument = Annotated[
    str, typer.Argument(metavar="STORE", help="The id of a store, or its name.")
]
_ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help=f"With --index: the embedding model. Not given: {MODEL}.",
        show_default=False,
    ),
]
_STORES = ["id", "name", "status", ">files", ">size", "model", "created"]
_FILES = ["id", "status", ">size", "attributes", "error"]
_SHOWN = 500  # characters of a chunk; --json has all


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you will call it by.")],
    description: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What is in it, for people.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="An embedding model, for its files and for what is asked of it. Not given: the "
            "setting `vector_stores_model`. With --index: for as many dimensions as it has.",
            show_default=False,
        ),
    ] = None,
    expires_after: Annotated[
        int | None,
        typer.Option(
            metavar="DAYS", help="Delete its text and vectors when nobody has used it for so long."
        ),
    ] = None,
    dimensions: Annotated[
        int | None,
        typer.Option(metavar="N", help="With --index: numbers of a vector.", show_default=False),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC",
            help="With --index: cosine, dot or euclidean. Not given: cosine.",
            show_default=False,
        ),
    ] = None,
    index: collections.IndexOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Create an empty vector store and print its id; with --index, a collection there.

    Example: tunewright vectors create handbook --model text-embedding-3-small
    """
    from tunewright.cli.opening import records

    collections.only(index, of_stores=True, description=description, expires_after=expires_after)
    collections.only(index, of_stores=False, dimensions=dimensions, metric=metric)
    if index is not None:
        made = collections.create(index, name, dimensions, metric or "cosine", model, home)
        if json:
            return print_json(made)
        say(name)
        return collections.hint(index, name)
    given: dict[str, Any] = {"name": name, "description": description, "embedding_model": model}
    if expires_after is not None:
        given["expires_after"] = {"anchor": "last_active_at", "days": expires_after}
    with records(home) as tw:
        store = tw.vector_stores.create(**given)
    if json:
        return print_json(store.wire())
    say(store.id)
    notes.print(f"Add files: {program()} vectors add {store.id} FILE...", markup=False)
    return None


@app.command("list")
def list_(
    store: Annotated[
        str | None,
        typer.Argument(
            metavar="STORE",
            help="Show its files, or a collection's rows in the order of ids. Not given: the "
            "stores, or collections.",
        ),
    ] = None,
    index: collections.IndexOption = None,
    home: HomeOption = None,
    limit: LimitOption = 20,
    json: JsonOption = False,
) -> None:
    """List vector stores, or the files of one, newest first; with --index, collections, or the
    rows of one.

    Example: tunewright vectors list handbook
    """
    if index is not None and store is None:
        return collections.list_all(index, json=json)
    if index is not None and store is not None:
        return collections.list_rows(index, store, limit, json=json)
    if store is None:
        return list_records(
            home, lambda tw: tw.vector_stores.list(limit=limit), _STORES, _store_row, json=json
        )
    return list_records(
        home,
        lambda tw: tw.vector_stores.files.list(found(tw, store).id, limit=limit),
        _FILES,
        _file_row,
        json=json,
    )


def _store_row(_: "Tunewright", store: "VectorStore") -> tuple[object, ...]:
    counts, made = store.file_counts, moment(store.created_at)
    size = size_of(store.usage_bytes)
    return store.id, store.name, store.status, counts.total, size, store.embedding.model, made


def _file_row(_: "Tunewright", file: "VectorStoreFile") -> tuple[object, ...]:
    attributes = ", ".join(f"{key}={value}" for key, value in file.attributes.items())
    error = file.last_error.message if file.last_error else None
    return file.id, file.status, size_of(file.usage_bytes), attributes, error


def found(tw: "Tunewright", store: str) -> "VectorStore":
    """The store of this id or name. Raises NotFound, and BadRequest where several have the name."""
    from tunewright.errors import NotFound
    from tunewright.records.vector_stores import VectorStore

    if store.startswith("vs_"):
        return tw.vector_stores.retrieve(store)
    same = [one.id for one in tw.shelf.all(VectorStore) if one.name == store]
    if not same:
        there = f"`{program()} vectors list` shows those that there are."
        raise NotFound(f"There is no vector store {store}. {there}")
    if len(same) > 1:
        raise BadRequest(
            f"{len(same)} vector stores are called {store}. Give the id of the one that you mean: "
            f"{', '.join(same)}."
        )
    return tw.vector_stores.retrieve(same[0])


@app.command()
def add(
    store: StoreArgument,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Files, which are uploaded; or ids of files. With --index a table: with vectors, "
            "as `tunewright embed` writes them, or to be embedded.",
        ),
    ],
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="What searches can filter by; several times for several. true, false and numbers "
            "are such; in double quotes they are text: 'year=\"2024\"'.",
        ),
    ] = None,
    chunk_tokens: Annotated[
        int | None,
        typer.Option(metavar="N", help="How long a chunk may be. Not given: 800.", min=100),
    ] = None,
    chunk_overlap: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="How many tokens two neighbours share, half of a chunk at most. Not given: 400, "
            "or half of --chunk-tokens.",
            min=0,
        ),
    ] = None,
    model: _ModelOption = None,
    column: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN[,COLUMN...]",
            help="With --index: the column of a table with the texts to embed. Not given: `text`, "
            "and vectors that are there are used.",
            show_default=False,
        ),
    ] = None,
    id: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="COLUMN",
            help="With --index: the column with the ids. Not given: `id`, else NAME:ROW of the "
            "file.",
            show_default=False,
        ),
    ] = None,
    number: collections.NumberOption = None,
    index: collections.IndexOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Upload files, add them to a store, and watch until they are read. Where no server runs, they
    are read here.

    A file that cannot be read is named with its reason, and the exit status is 1; the others are
    in the store.

    With --index, each row of a table becomes a row of the collection, its columns attributes; one
    of the same id is replaced, and the collection is made where it is not there.

    Example: tunewright vectors add handbook handbook.pdf faq.md --attribute year=2024
    """
    from tunewright.cli.attributes import attributes
    from tunewright.cli.opening import running
    from tunewright.cli.store_files import attached, checked, chunking, follow, tell_of_failed

    collections.only(index, of_stores=True, chunk_tokens=chunk_tokens, chunk_overlap=chunk_overlap)
    collections.only(index, of_stores=False, model=model, column=column, id=id, number=number)
    given: dict[str, Any] = {"attributes": attributes(attribute or [])}
    if index is not None:
        tables = [
            adding_rows.Table(
                Path(file), model or MODEL, column, id, number or (), given["attributes"]
            )
            for file in files
        ]
        return adding_rows.add(index, store, tables, home, json=json)
    if chunk_tokens is not None or chunk_overlap is not None:
        given["chunking_strategy"] = chunking(chunk_tokens or 800, chunk_overlap)
    paths = checked(files)
    with running(home) as tw:
        to = found(tw, store)
        ids, batches = attached(tw, to.id, files, paths, given)
        try:
            follow(tw, to.id, batches)
        except KeyboardInterrupt:
            again = f"{program()} vectors list {to.id}"
            notes.print(f"They are read on as long as a server runs: {again}", markup=False)
            raise typer.Exit(130) from None
        files_of = tw.vector_stores.files
        read = [files_of.retrieve(id, vector_store_id=to.id) for id in dict.fromkeys(ids)]
        to = tw.vector_stores.retrieve(to.id)
    if json:
        print_json(to.wire())
    else:
        size = size_of(to.usage_bytes)
        say(f"{to.id} has {counted(to.file_counts.completed, 'file')}, {size}.")
    tell_of_failed(read, dict(zip(ids, files, strict=True)))
    return None


@app.command()
def search(
    store: StoreArgument,
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY",
            help="A question, or any text; with --index also a vector: its numbers in JSON.",
        ),
    ],
    filter: collections.WhereOption = None,
    top: Annotated[int, typer.Option(metavar="N", help="How many to show.", min=1, max=50)] = 5,
    threshold: Annotated[
        float, typer.Option(metavar="SCORE", help="Only from this score on, 0 to 1.", min=0, max=1)
    ] = 0.0,
    hybrid: Annotated[
        bool, typer.Option("--hybrid", help="By the words of the query too, not by meaning alone.")
    ] = False,
    model: _ModelOption = None,
    index: collections.IndexOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show the chunks of a store that answer a query best: score, file, place, text. With --index,
    the rows of a collection: score, id, attributes.

    Example: tunewright vectors search handbook 'How long can I return it?' --filter 'year>=2024'
    """
    from tunewright.cli.attributes import filters
    from tunewright.cli.opening import embedding, records

    collections.only(index, of_stores=True, hybrid=hybrid)
    collections.only(index, of_stores=False, model=model)
    if index is not None:
        return collections.search(
            index,
            store,
            query,
            model=model or MODEL,
            where=collections.tree(filter),
            top=top,
            threshold=threshold,
            home=home,
            json=json,
        )
    ranking: dict[str, Any] = {"score_threshold": threshold}
    if hybrid:
        ranking["hybrid_search"] = {"embedding_weight": 1, "text_weight": 1}
    with records(home) as tw:
        of = found(tw, store)
    with embedding(home, of.embedding.model) as tw:
        results = tw.vector_stores.search(
            of.id,
            query=query,
            filters=filters(filter or []),
            max_num_results=top,
            ranking_options=ranking,
        )
    if json:
        return print_json(results.wire())
    for result in results.data:
        _show(result)
    if not results.data:
        notes.print("Nothing was found.")
    return None


def _show(result: "SearchResult") -> None:
    page = f", page {result.page}" if result.page is not None else ""
    heading = f": {line(result.heading)}" if result.heading else ""
    screen.print(
        Text(f"{result.score:.3f}  "),
        Text(line(f"{result.filename}{page}{heading}"), "bold"),
        sep="",
        soft_wrap=True,
    )
    text = " ".join(" ".join(part.text for part in result.content).split())
    say(f"       {text[:_SHOWN]}{' ...' if len(text) > _SHOWN else ''}")


@app.command()
def delete(
    store: StoreArgument,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE-ID",
            help="Take only this file out of the store. It stays uploaded. With --index: the id of "
            "a row.",
        ),
    ] = None,
    where: collections.WhereOption = None,
    index: collections.IndexOption = None,
    home: HomeOption = None,
) -> None:
    """Delete a store with its text and vectors, or take one file out of it. The files that were
    uploaded stay: `tunewright files delete` deletes one. With --index, a collection, one row of it,
    or those that match --where.

    Example: tunewright vectors delete handbook
    """
    from tunewright.cli.opening import records

    collections.only(index, of_stores=False, where=where)
    if index is not None:
        return say(collections.delete(index, store, file, collections.tree(where)))
    with records(home) as tw:
        id = found(tw, store).id
        if file is None:
            tw.vector_stores.delete(id)
        else:
            tw.vector_stores.files.delete(file, vector_store_id=id)
    return say(f"Deleted {id}." if file is None else f"{file} is no longer in {id}.")
