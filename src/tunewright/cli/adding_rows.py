"""`tunewright vectors add COLLECTION TABLE --index PLACE`: rows of tables become rows there."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tunewright.cli import collections
from tunewright.cli.terminal import notes, print_json, say
from tunewright.cli.verbs import bar
from tunewright.errors import BadRequest, NotFound
from tunewright.wording import counted

_ID = "tunewright id"  # a column beside a user's own


@dataclass(frozen=True)
class Table:
    """A file whose rows are added. `texts`: the column or template, and the model, of one without
    vectors. `attributes`: of every row, besides."""

    file: Path
    model: str
    column: str | None
    id: str | None
    numbers: Sequence[str]
    attributes: dict[str, Any]


def add(place: str, name: str, tables: Sequence[Table], home: Path | None, *, json: bool) -> None:
    """The rows of each."""
    found = [_added(place, name, table, home) for table in tables]
    done = {**found[-1], "added": sum(one["added"] for one in found)}
    if json:
        return print_json(done)
    return say(f"{name} has {counted(done['rows'], 'row')}; {done['added']:,} were added.")


def _added(place: str, name: str, table: Table, home: Path | None) -> dict[str, Any]:
    """The rows of a table, embedded first where it has no vectors."""
    from tunewright.cli import embed_table

    if not table.file.is_file():
        raise BadRequest(f"There is no file {table.file}.")
    if not embed_table.has_vectors(table.file, None):
        with _embedded(table, home) as file:
            return _add(place, name, file, table)
    if table.column is None:
        return _add(place, name, table.file, table)
    with _texts(table, home) as texts, _embedded(texts, home) as file:
        return _add(place, name, file, texts)


@contextmanager
def _texts(table: Table, home: Path | None) -> "Iterator[Table]":
    """The same table without its vectors, for they are to be made anew."""
    import orjson

    from tunewright import durable
    from tunewright.home import Home
    from tunewright.settings import Settings
    from tunewright.vectors.copying.table import OfTable

    folder = durable.make_directory(Home(Settings.read(home).home).copies)
    out = folder / f"{_key(table)}.texts.jsonl"
    with durable.Upload(out) as upload:
        for _, rows in OfTable(table.file, None, table.id, numbered=f"{table.file.name}:").pages(
            None
        ):
            for id, said in zip(rows.ids, rows.attributes, strict=True):
                upload.write(orjson.dumps({**said, _ID: id}) + b"\n")
        upload.commit()
    yield replace(table, file=out, id=_ID)
    durable.remove(out)


def _ending(file: Path) -> str:
    """A column of Parquet has one type; a row of JSON lines keeps each value's own."""
    return ".jsonl" if file.suffix == ".jsonl" else ".parquet"


def _key(table: Table) -> str:
    what = f"{table.file.resolve()}\0{table.model}\0{table.column}"
    return hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@contextmanager
def _embedded(table: Table, home: Path | None) -> Iterator[Path]:
    """Beside what else is copied: an embedding that is stopped goes on with the same command."""
    from tunewright import durable
    from tunewright.cli import embed_table
    from tunewright.cli.opening import embedding

    with embedding(home, table.model) as tw, embed_table.shown() as show:
        out = durable.make_directory(tw.home.copies) / f"{_key(table)}{_ending(table.file)}"
        done = tw.embeddings.table(
            table.file, out, column=table.column, model=table.model, overwrite=True, say=show
        )
    embed_table.report(done)
    yield out
    durable.remove(out)


def _add(place: str, name: str, file: Path, table: Table) -> dict[str, Any]:
    from tunewright.vectors.copying.table import OfTable, kinds_of

    numbered, kinds = f"{table.file.name}:", kinds_of(table.file)
    rows = OfTable(file, None, table.id, numbered=numbered, kinds=kinds, numbers=table.numbers)
    about, total, done = rows.describe(), rows.rows(), 0
    with collections.opened(place) as index, bar(left=True) as show:
        try:
            index.describe(name)
        except NotFound:
            index.create(name, about.dimensions, about.metric)
        for _, page in rows.pages(None):
            said = [{**one, **table.attributes} for one in page.attributes]
            index.upsert(name, page.ids, page.vectors, said)
            done += len(page.ids)
            show("Adding", done, total, f"{done:,}/{total:,} rows")
        for note in rows.notes():
            notes.print(note, markup=False, soft_wrap=True)
        return {**collections.wire(index, name), "added": done}
