"""Vector stores: files whose text is found by its meaning."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from tunewright.cli.plain import line
from tunewright.cli.terminal import (
    HomeOption,
    JsonOption,
    LimitOption,
    complain,
    moment,
    notes,
    print_json,
    program,
    say,
    screen,
    size_of,
)
from tunewright.cli.verbs import bar, list_records, must_be
from tunewright.errors import BadRequest
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.records.store_verifications import StoreVerification
    from tunewright.records.vector_store_files import VectorStoreFile
    from tunewright.records.vector_store_search import SearchResult
    from tunewright.records.vector_stores import VectorStore

app = typer.Typer(
    no_args_is_help=True,
    help="Vector stores: the text of files is cut into chunks, embedded, and found by its "
    "meaning.\n\n"
    "STORE is the id of a store, such as vs_Ab12..., or its name where only one has it.\n\n"
    "Example: tunewright vectors create handbook",
)
StoreArgument = Annotated[
    str, typer.Argument(metavar="STORE", help="The id of a store, or its name.")
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
            "setting `vector_stores_model`.",
            show_default=False,
        ),
    ] = None,
    expires_after: Annotated[
        int | None,
        typer.Option(
            metavar="DAYS", help="Delete its text and vectors when nobody has used it for so long."
        ),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Create an empty vector store and print its id.

    Example: tunewright vectors create handbook --model text-embedding-3-small
    """
    from tunewright.cli.opening import records

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
        typer.Argument(metavar="STORE", help="Show its files. Not given: the stores."),
    ] = None,
    home: HomeOption = None,
    limit: LimitOption = 20,
    json: JsonOption = False,
) -> None:
    """List vector stores, or the files of one, newest first.

    Example: tunewright vectors list handbook
    """
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
        typer.Argument(metavar="FILE...", help="Files, which are uploaded; or ids of files."),
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
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Upload files, add them to a store, and watch until they are read. Where no server runs, they
    are read here.

    A file that cannot be read is named with its reason, and the exit status is 1; the others are
    in the store.

    Example: tunewright vectors add handbook handbook.pdf faq.md --attribute year=2024
    """
    from tunewright.cli.attributes import attributes
    from tunewright.cli.opening import running
    from tunewright.cli.store_files import attached, checked, chunking, follow, tell_of_failed

    given: dict[str, Any] = {"attributes": attributes(attribute or [])}
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


@app.command()
def search(
    store: StoreArgument,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A question, or any text.")],
    filter: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="KEY=VALUE",
            help="Only files with this attribute; also != > >= < <=, or a filter of OpenAI's in "
            "JSON. Of several, all must match.",
        ),
    ] = None,
    top: Annotated[int, typer.Option(metavar="N", help="How many to show.", min=1, max=50)] = 5,
    threshold: Annotated[
        float, typer.Option(metavar="SCORE", help="Only from this score on, 0 to 1.", min=0, max=1)
    ] = 0.0,
    hybrid: Annotated[
        bool, typer.Option("--hybrid", help="By the words of the query too, not by meaning alone.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show the chunks of a store that answer a query best: score, file, place, text.

    Example: tunewright vectors search handbook 'How long can I return it?' --filter 'year>=2024'
    """
    from tunewright.cli.attributes import filters
    from tunewright.cli.opening import embedding, records

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
def verify(
    store: StoreArgument,
    queries: Annotated[
        int, typer.Option(metavar="N", help="How many of its vectors to search for.", min=1)
    ] = 1000,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Measure a store's recall: of the 10 nearest vectors, how many does a search find? Stored
    vectors are the queries, and what is found is compared with every vector of the store.

    Also, whether each chunk has its vector; if not, the exit status is 1.

    Example: tunewright vectors verify handbook
    """
    from tunewright.cli.opening import records

    with records(home) as tw, bar() as show:
        done = tw.vector_stores.verify(
            found(tw, store).id,
            queries=queries,
            progress=lambda n, total: show("Reading", n, total, f"{n:,}/{total:,} vectors"),
        )
    if json:
        print_json(done.wire())
    else:
        _say_recall(done)
    if done.chunks_without_vector:
        raise typer.Exit(1)


def _say_recall(done: "StoreVerification") -> None:
    say(f"{done.vector_store_id} has {counted(done.vectors, 'vector')}.")
    if lacking := done.chunks_without_vector:
        complain(
            f"{counted(lacking, 'chunk has no vector', 'chunks have no vector')}. Add its files "
            f"again: {program()} vectors add {done.vector_store_id} FILE-ID..."
        )
    if left := done.vectors_without_chunk:
        said = counted(left, "vector has no chunk", "vectors have no chunk")
        notes.print(f"{said}: what is left of files that went. They are not shown.", markup=False)
    if done.recall is None:
        return say("They are too few to measure recall.")
    low, high = done.recall_low or 0.0, done.recall_high or 0.0
    return say(
        f"recall@{done.k} {done.recall:.4f} (95 % interval {low:.4f} to {high:.4f}), by "
        f"{counted(done.queries, 'query')} against every vector"
    )


@app.command()
def reembed(
    store: StoreArgument,
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="The embedding model that the store has then.")
    ],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Embed the texts of a store anew by another model, and watch. It is searched by its old
    vectors until the new ones are complete. Where no server runs, it is done here.

    Stopped, it goes on when a server runs, or with the same command.

    Example: tunewright vectors reembed handbook --model text-embedding-3-small
    """
    from tunewright.cli.opening import running

    with running(home) as tw:
        id = found(tw, store).id
        reembeddings = tw.vector_stores.reembeddings
        made = reembeddings.under_way(id, model=model) or reembeddings.create(id, model=model)
        with bar(left=True) as show:
            for now in reembeddings.follow(made.id):
                said = f"{now.done:,}/{now.chunks:,} chunks"
                show("Embedding", now.done, now.chunks or None, said)
        done = reembeddings.retrieve(made.id)
    if json:
        print_json(done.wire())
    must_be("succeeded", done)
    if not json:
        say(f"{id} has {counted(done.chunks, 'vector')} by {done.embedding.model}.")


@app.command()
def delete(
    store: StoreArgument,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE-ID", help="Take only this file out of the store. It stays uploaded."
        ),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Delete a store with its text and vectors, or take one file out of it. The files that were
    uploaded stay: `tunewright files delete` deletes one.

    Example: tunewright vectors delete handbook
    """
    from tunewright.cli.opening import records

    with records(home) as tw:
        id = found(tw, store).id
        if file is None:
            tw.vector_stores.delete(id)
        else:
            tw.vector_stores.files.delete(file, vector_store_id=id)
    say(f"Deleted {id}." if file is None else f"{file} is no longer in {id}.")
