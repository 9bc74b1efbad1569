"""`tunewright vectors ... --index PLACE`: collections of an index anywhere, without a home's
vector stores."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from tunewright.cli.plain import line
from tunewright.cli.terminal import (
    HomeOption,
    JsonOption,
    notes,
    print_json,
    print_table,
    program,
    say,
    screen,
)
from tunewright.cli.verbs import bar
from tunewright.errors import BadRequest
from tunewright.wording import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tunewright.vectors.filters import Filter
    from tunewright.vectors.index import VectorIndex

IndexOption = Annotated[
    str | None,
    typer.Option(
        "--index",
        metavar="PLACE",
        help="A collection of this index instead of a vector store: a folder, or a database "
        "(docs/databases.md), such as qdrant+http://HOST:6333.",
        show_default=False,
    ),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        "--filter",
        metavar="KEY=VALUE",
        help="Only rows with this attribute; also != > >= < <=, or a filter of OpenAI's in JSON. "
        "Of several, all must match.",
    ),
]
NumberOption = Annotated[
    list[str] | None,
    typer.Option(
        "--number",
        metavar="COLUMN",
        help="Of a file, a column that holds numbers as texts, as in Parquet that was made from "
        "CSV: they become numbers, for filters such as 'stars>=4'. Can be repeated.",
    ),
]
_SHOWN = 500  # characters of a text; --json has all


def only(index: str | None, *, of_stores: bool, **given: object) -> None:
    """Raises BadRequest where options of the other kind are given."""
    named = ", ".join(f"--{name.replace('_', '-')}" for name, value in given.items() if value)
    if named and (index is None) is not of_stores:
        where = "vector stores, not with --index" if of_stores else "--index PLACE"
        raise BadRequest(f"{named} goes with {where}.")


@contextmanager
def opened(place: str) -> "Iterator[VectorIndex]":
    from tunewright.vectors import open_index

    with closing(open_index(place)) as index:
        yield index


def tree(given: Iterable[str] | None) -> "Filter | None":
    from tunewright.cli.attributes import filters
    from tunewright.vectors.filters import parse

    found = filters(given or ())
    return None if found is None else parse(found, "where")


def tell_of_texts(index: "VectorIndex", name: str, where: "Filter | None") -> None:
    """Nothing matched: it may be because numbers are texts there."""
    from tunewright.tables.cells import number_of

    first = index.read(name, limit=1).attributes
    for key, value in numbers_of(where) if first else ():
        there = first[0].get(key)
        if isinstance(there, str) and number_of(there) is not None:
            notes.print(
                f'{key} holds texts there, such as "{there}", and {value:.15g} is a number. Ask '
                f"for the text, '{key}=\"{value:.15g}\"', or copy the table anew with --number "
                f"{key}.",
                markup=False,
                soft_wrap=True,
            )


def numbers_of(where: "Filter | None") -> Iterator[tuple[str, float]]:
    """What keys are compared with, where it is a number."""
    from tunewright.vectors.filters import And, Comparison, Or

    if isinstance(where, And | Or):
        for part in where.parts:
            yield from numbers_of(part)
    elif isinstance(where, Comparison):
        for value in where.values:
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield where.key, value


def create(
    place: str, name: str, dimensions: int | None, metric: str, model: str | None, home: Path | None
) -> dict[str, Any]:
    """dimensions: those of the model, where one is given."""
    from tunewright.cli.opening import records

    if (dimensions is None) is (model is None):
        raise BadRequest("Give --dimensions N, or --model MODEL for as many as that has.")
    if model is not None:
        with records(home) as tw:
            dimensions = tw.embedder(tw.models.weights(model, ("embedding",)), tw.models).dimensions
    with opened(place) as index:
        index.create(name, dimensions or 0, metric)  # pyright: ignore[reportArgumentType]
        return wire(index, name)


def wire(index: "VectorIndex", name: str) -> dict[str, Any]:
    about = index.describe(name)
    return {
        "object": "vectors.collection",
        "name": name,
        "rows": index.count(name),
        "dimensions": about.dimensions,
        "metric": about.metric,
    }


def list_all(place: str, *, json: bool) -> None:
    with opened(place) as index:
        found = [wire(index, name) for name in index.collections()]
        others = _of_others(index)
    if json:
        return print_json({"object": "list", "data": found})
    print_table(
        ["name", ">rows", ">dimensions", "metric"],
        [(one["name"], f"{one['rows']:,}", one["dimensions"], one["metric"]) for one in found],
    )
    if others:
        notes.print(
            f"Made by other programs: {', '.join(others)}. Copy one to search it here: {program()} "
            f"vectors copy '{place}#{others[0]}' DST",
            markup=False,
            soft_wrap=True,
        )
    return None


def _of_others(index: "VectorIndex") -> list[str]:
    from tunewright.vectors.copying.foreign import foreign_names
    from tunewright.vectors.databases.connected import Connected

    return foreign_names(index) if isinstance(index, Connected) else []


def list_rows(place: str, name: str, limit: int, *, json: bool) -> None:
    """The first ones by id."""
    with opened(place) as index:
        rows = index.read(name, limit=limit)
    pairs = list(zip(rows.ids, rows.attributes, strict=True))
    if json:
        found = [{"id": id, "attributes": said} for id, said in pairs]
        return print_json({"object": "list", "data": found})
    print_table(["id", "attributes"], [(id, _listed(said)) for id, said in pairs])
    return None


def _listed(attributes: dict[str, Any]) -> str:
    found = (f"{key}={_value(value)}" for key, value in attributes.items())
    return ", ".join(found)


def _value(value: Any) -> str:
    """A number without the .0 that a double has."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.15g}"
    return value if len(value) <= 80 else f"{value[:79]}…"


def search(
    place: str,
    name: str,
    query: str,
    *,
    model: str,
    where: "Filter | None",
    top: int,
    threshold: float,
    home: Path | None,
    json: bool,
) -> None:
    """query: a text, which the model embeds, or a vector: numbers as a list in JSON."""
    import numpy as np

    with opened(place) as index:
        vector = _vector(query)
        if vector is None:
            vector = _embed(query, model, home)
        about = index.describe(name)
        if len(vector) != about.dimensions:
            raise BadRequest(
                f"The vectors of {name} have {about.dimensions} dimensions, and that of the query "
                f"has {len(vector)}. Name the model that made them with --model."
            )
        hits = index.search(name, np.array([vector], np.float32), top, where)
        rows = index.fetch(name, hits.ids[0])
        if where is not None and not rows.ids:
            tell_of_texts(index, name, where)
    said = dict(zip(rows.ids, rows.attributes, strict=True))
    found = [
        {"id": id, "score": float(score), "distance": float(distance), "attributes": said[id]}
        for id, score, distance in zip(hits.ids[0], hits.scores[0], hits.distances[0], strict=True)
        if id in said and score >= threshold  # else it was deleted meanwhile
    ]
    print_json({"object": "list", "data": found}) if json else _show(found)


def _vector(query: str) -> list[float] | None:
    """The numbers of a list in JSON; None of a text."""
    from json import loads

    if not query.lstrip().startswith("["):
        return None
    try:
        found = loads(query)
    except ValueError:
        return None
    numbers = isinstance(found, list) and all(type(one) in (int, float) for one in found)
    return found if numbers and found else None


def _embed(query: str, model: str, home: Path | None) -> "NDArray[Any]":
    from tunewright.cli.opening import embedding

    if not query.strip():
        raise BadRequest("The query is empty: there is nothing to search for.")
    with embedding(home, model) as tw:
        [(_, found)] = tw.embeddings.tables.embedded([query], model)
        if found.left_out:
            raise BadRequest(f"'{query}' cannot be searched for: {found.left_out[0]}.")
        return found.vectors[0]


def _show(found: Sequence[dict[str, Any]]) -> None:
    """Of each row its score, id and attributes; its text, the longest of these, below."""
    for one in found:
        attributes = dict(one["attributes"])
        texts = [key for key, value in attributes.items() if isinstance(value, str)]
        longest = max(texts, key=lambda key: len(attributes[key]), default=None)
        body = attributes.pop(longest) if longest is not None else ""
        screen.print(
            Text(f"{one['score']:.3f}  "),
            Text(line(one["id"]), "bold"),
            Text(f"  {line(_listed(attributes))}".rstrip()),
            sep="",
            soft_wrap=True,
        )
        text = " ".join(body.split())
        if text:
            say(f"       {text[:_SHOWN]}{' ...' if len(text) > _SHOWN else ''}")
    if not found:
        notes.print("Nothing was found.")


def delete(place: str, name: str, id: str | None, where: "Filter | None") -> str:
    """The collection, a row, or the rows that match: what was deleted, in a sentence."""
    if id is not None and where is not None:
        raise BadRequest("Give the id of a row, or --where: one of the two.")
    with opened(place) as index:
        before = index.count(name)
        if id is None and where is None:
            index.drop(name)
            return f"Deleted {name} with {counted(before, 'row')}."
        if where is not None:
            index.delete(name, where=where)
        else:
            index.delete(name, ids=[id or ""])
        after = index.count(name)
        if where is not None and after == before:
            tell_of_texts(index, name, where)
    return f"Deleted {counted(max(0, before - after), 'row')}; {name} has {after:,} now."


def count(
    collection: Annotated[
        str, typer.Argument(metavar="COLLECTION", help="The name of a collection of the index.")
    ],
    index: Annotated[
        str,
        typer.Option(
            "--index",
            metavar="PLACE",
            help="A folder, or a database (docs/databases.md), such as qdrant+http://HOST:6333.",
            show_default=False,
        ),
    ],
    where: WhereOption = None,
    home: HomeOption = None,  # as every command has it: no home is needed
    json: JsonOption = False,
) -> None:
    """Count the rows of a collection of an index, or those that match a filter.

    Example: tunewright vectors count reviews --index ./vectors --where 'stars>=4'
    """
    with opened(index) as found:
        rows = found.count(collection, tree(where))
        if where and not rows:
            tell_of_texts(found, collection, tree(where))
    print_json({"object": "vectors.count", "rows": rows}) if json else say(f"{rows:,}")


def verify(place: str, name: str, queries: int) -> dict[str, Any]:
    from tunewright.vectors.recall import measure

    with opened(place) as index, bar() as showing:
        recall = measure(
            index,
            name,
            index.describe(name).metric,
            queries=queries,
            progress=lambda n, total: showing("Reading", n, total, f"{n:,}/{total:,} vectors"),
        )
        found = wire(index, name)
    if recall is None:
        return found | {"recall": None}
    return found | {
        "recall": recall.value,
        "recall_low": recall.low,
        "recall_high": recall.high,
        "k": recall.k,
        "queries": recall.queries,
    }


def say_recall(found: dict[str, Any]) -> None:
    say(f"{found['name']} has {counted(found['rows'], 'vector')}.")
    if found["recall"] is None:
        return say("They are too few to measure recall.")
    return say(
        f"recall@{found['k']} {found['recall']:.4f} (95 % interval {found['recall_low']:.4f} to "
        f"{found['recall_high']:.4f}), by {counted(found['queries'], 'query')} against every vector"
    )


def hint(place: str, name: str) -> None:
    notes.print(f"Add rows: {program()} vectors add {name} TABLE --index {place}", markup=False)
