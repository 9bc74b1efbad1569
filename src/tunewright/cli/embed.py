from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunewright.cli.terminal import HomeOption, JsonOption, notes, print_json, print_table, say
from tunewright.stepwise import batches

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tunewright.app import Tunewright
    from tunewright.embedding.embedder import Embedder

_BATCH = 256  # texts
_CHARACTERS = 200_000  # of a batch: a token is a character at least, and a request has a limit
_NAMED = 10  # rows that are left out and named

_TextsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="TEXT", help="Texts to embed, each in quotes.")
]
_FileOption = Annotated[
    Path | None,
    typer.Option(
        metavar="TABLE",
        help="Embed a table: .csv, .tsv, .xlsx, .parquet, .json or .jsonl; or a file that "
        "--output wrote.",
    ),
]
_ColumnOption = Annotated[
    str, typer.Option(metavar="COLUMN", help="The column of the table that holds the texts.")
]
_OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="Write texts and vectors: .jsonl, .csv, .parquet, or .npy (a matrix).",
    ),
]
_SearchOption = Annotated[
    str | None, typer.Option(metavar="QUERY", help="Show the texts most similar to this one.")
]
_TopOption = Annotated[int, typer.Option(help="How many of them to show.", min=1)]
_ModelOption = Annotated[str, typer.Option(metavar="MODEL", help="An embedding model.")]


def embed(
    texts: _TextsArgument = None,
    file: _FileOption = None,
    column: _ColumnOption = "text",
    output: _OutputOption = None,
    search: _SearchOption = None,
    top: _TopOption = 5,
    model: _ModelOption = "text-embedding-ada-002",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Turn texts, or a column of a table, into vectors of length 1, and search among them.

    A table that was embedded before, or a file that --output wrote, is searched without computing
    its vectors again.

    Example: tunewright embed --file reviews.csv --column text --search 'arrived broken' --top 3
    """
    from tunewright.cli.opening import records
    from tunewright.cli.vectors import writer

    write = writer(output) if output else None
    with records(home) as tw:
        if json and file is None:
            return print_json(tw.embeddings.create(model=model, input=_given(texts, file)).wire())
        table = _table(tw, model, texts, file, column)
        if json:
            return print_json(_wire(table))
        if write and output:
            write(output, table.texts, table.vectors)
        _report(table, output)
        if search is not None:
            _search(tw, model, search, table, top)
        elif file is None and output is None:
            _print(table)
    return None


@dataclass
class _Table:
    """`vectors` float32 [texts, dimensions]. `left_out`: what is wrong, by the line of a row.

    `tokens`, `unknown`: together; 0 of saved vectors. `before`: nothing was computed. `kept`: where
    the vectors lie.
    """

    texts: list[str]
    vectors: "NDArray[np.float32]"
    lines: list[int]
    left_out: dict[int, str] = field(default_factory=dict)
    tokens: int = 0
    unknown: int = 0
    before: bool = False
    kept: Path | None = None


def _given(texts: list[str] | None, file: Path | None) -> list[str]:
    from tunewright.errors import BadRequest

    if bool(texts) == bool(file):
        raise BadRequest("Give either texts or --file TABLE.")
    for number, text in enumerate(texts or (), start=1):
        if not text.strip():
            raise BadRequest(f"Text {number} is empty: there is nothing to embed.", param="input")
    return list(texts or ())


def _table(
    tw: "Tunewright", model: str, texts: list[str] | None, file: Path | None, column: str
) -> _Table:
    from tunewright.cli.vectors import saved
    from tunewright.errors import BadRequest
    from tunewright.tables.whole import read_column

    given = _given(texts, file)
    if file is None:
        table = _computed(tw, model, list(enumerate(given, start=1)))
        if not table.texts:
            raise BadRequest(
                f"{model} knows no token of these texts. Use a multilingual embedding model."
            )
        return table
    if (found := saved(file)) is not None:
        return _Table(*found, list(range(1, len(found[0]) + 1)), before=True)
    rows = read_column(file, column)
    table = _of_rows(tw, model, rows)
    if not table.texts:
        raise BadRequest(f"{file} has no row with a text of which {model} knows a token.")
    return table


def _of_rows(tw: "Tunewright", model: str, rows: list[tuple[int, str]]) -> _Table:
    """As computed before, where it was."""
    from tunewright.cli import vectors

    weights = tw.models.weights(model, ("embedding",))
    texts = [text for _, text in rows]
    key = vectors.key(weights.id, weights.base_fingerprint, texts)
    told = [(line, text) for line, text in rows if text.strip()]
    found = vectors.kept(tw.home, key, len(told))
    if found is not None:
        empty = {line: "it is empty" for line, text in rows if not text.strip()}
        table = _Table([text for _, text in told], found, [line for line, _ in told], empty)
        table.before = True
        _count(table, tw.embedder(weights, tw.models))
        return table
    table = _computed(tw, model, rows)
    if len(table.texts) == len(told):
        table.kept = vectors.keep(tw.home, key, table.vectors)
    return table


def _count(table: _Table, embedder: "Embedder") -> None:
    """What the model does not know is told each time: it is the same vectors that are searched."""
    for ids in embedder.tokenize(table.texts):
        table.tokens += len(ids)
        table.unknown += 0 if embedder.unknown is None else ids.count(embedder.unknown)


def _computed(tw: "Tunewright", model: str, rows: Sequence[tuple[int, str]]) -> _Table:
    import numpy as np
    from rich.progress import track

    table = _Table([], np.zeros((0, 0), np.float32), [])
    parts: list[NDArray[np.float32]] = []
    told = [(line, text) for line, text in rows if text.strip()]
    table.left_out |= {line: "it is empty" for line, text in rows if not text.strip()}
    cut = _batches(told)
    for batch in track(cut, "Embedding", console=notes, transient=True, disable=len(cut) == 1):
        parts += _add(tw, model, batch, table)
    if parts:
        table.vectors = np.concatenate(parts)
    return table


def _add(
    tw: "Tunewright", model: str, batch: list[tuple[int, str]], table: _Table
) -> "Iterator[NDArray[np.float32]]":
    """The vectors of a batch. A row that is refused is left out, and costs no other one."""
    from tunewright.errors import BadRequest
    from tunewright.records.embeddings import EmbeddingRequest

    request = EmbeddingRequest(model=model, input=[text for _, text in batch])
    try:
        embedded = tw.embeddings.embed(request, unknown_text="allow")
    except BadRequest as error:
        if error.param != "input":
            raise
        if len(batch) == 1:
            table.left_out[batch[0][0]] = error.message
            return
        middle = len(batch) // 2
        yield from _add(tw, model, batch[:middle], table)
        yield from _add(tw, model, batch[middle:], table)
        return
    nothing = set(embedded.unreadable)
    for at in nothing:
        table.left_out[batch[at][0]] = "the model knows no token of it"
    good = [at for at in range(len(batch)) if at not in nothing]
    table.texts += [batch[at][1] for at in good]
    table.lines += [batch[at][0] for at in good]
    table.tokens += sum(embedded.tokens)
    table.unknown += sum(embedded.unknown)
    yield embedded.vectors[good]


def _batches(rows: list[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    return list(batches(rows, _CHARACTERS, _BATCH, size=lambda row: len(row[1])))


def _wire(table: _Table) -> list[dict[str, object]]:
    rows = zip(table.lines, table.texts, table.vectors, strict=True)
    return [{"line": at, "text": text, "embedding": row.tolist()} for at, text, row in rows]


def _print(table: _Table) -> None:
    """A vector a line, as JSON."""
    import json

    for vector in table.vectors:
        say(json.dumps([round(float(number), 7) for number in vector]))


def _report(table: _Table, output: Path | None) -> None:
    """On the side: what is on the standard output are vectors, or texts that were found."""
    count = len(table.texts)
    where = f", written to {output}" if output else ""
    tokens = f", {table.tokens:,} tokens" if not table.before else ", computed before"
    what = "text" if count == 1 else "texts"
    _note(f"{count:,} {what}{tokens}, {table.vectors.shape[1]} dimensions{where}")
    if table.kept and not output:
        _note(f"Kept for the next search in {table.kept}. For a file of your own: --output NAME")
    if table.unknown:
        _note(
            f"The model does not know {table.unknown:,} of {table.tokens:,} tokens: it cannot tell "
            "other languages and emoji apart. A multilingual embedding model can."
        )
    for line in list(table.left_out)[:_NAMED]:
        _note(f"left out: line {line}: {table.left_out[line]}")
    if len(table.left_out) > _NAMED:
        _note(f"left out: {len(table.left_out) - _NAMED:,} more")


def _note(said: str) -> None:
    notes.print(said, markup=False, soft_wrap=True)


def _search(tw: "Tunewright", model: str, query: str, table: _Table, top: int) -> None:
    from tunewright.analysis.nearest import nearest
    from tunewright.errors import BadRequest

    asked = _computed(tw, model, [(1, query)])
    if not asked.texts:
        raise BadRequest(f"'{query}' cannot be searched for: {asked.left_out[1]}.")
    if asked.vectors.shape[1] != table.vectors.shape[1]:
        raise BadRequest(
            f"The vectors have {table.vectors.shape[1]} dimensions, and those of {model} have "
            f"{asked.vectors.shape[1]}. Name the model that made them with --model."
        )
    ids, scores = nearest(asked.vectors, table.vectors, top)
    print_table(
        [">similarity", ">line", "text"],
        [
            (f"{score:.3f}", table.lines[id], table.texts[id])
            for id, score in zip(ids[0], scores[0], strict=True)
        ],
    )
