"""`tunewright vectors verify` and `reembed`: what is done to a store beside using it."""

from typing import TYPE_CHECKING, Annotated

import typer

from tunewright.cli import collections
from tunewright.cli.terminal import (
    HomeOption,
    JsonOption,
    complain,
    notes,
    print_json,
    program,
    say,
)
from tunewright.cli.vectors import StoreArgument, found
from tunewright.cli.verbs import bar, must_be
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.records.store_verifications import StoreVerification


def verify(
    store: StoreArgument,
    queries: Annotated[
        int, typer.Option(metavar="N", help="How many of its vectors to search for.", min=1)
    ] = 1000,
    index: collections.IndexOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Measure a store's recall: of the 10 nearest vectors, how many does a search find? Stored
    vectors are the queries, and what is found is compared with every vector of the store.

    Also, whether each chunk has its vector; if not, the exit status is 1.

    Example: tunewright vectors verify handbook
    """
    from tunewright.cli.opening import records

    if index is not None:
        measured = collections.verify(index, store, queries)
        return print_json(measured) if json else collections.say_recall(measured)
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
    return None


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
